import { providerContract } from './contract.ts';

providerContract('KIND_CPU', 'cpu');
