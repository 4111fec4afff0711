/** `npm run bench [-- ROUNDS]`: what the gateway costs and gains, as ratios from one run. bench/README.md has the method. */
import { cpus } from 'node:os';
import { benchDigits } from './digits.ts';
import { print } from './report.ts';
import { benchResnet } from './resnet.ts';

const rounds = Number(process.argv[2] ?? 5);
/** The digits' rounds are short, the images' are not. */
const DIGITS_ROUNDS_EACH = 5;
const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print();
await benchDigits(rounds * DIGITS_ROUNDS_EACH);
print();
await benchResnet(rounds);
