import { print } from '../report.ts';
import { killRollouts } from './kills.ts';

/** `npm run soak:rollouts`: kills a gateway at 100 random moments of its rollouts. Exits 1 where something was lost. */
const { kills, steps, finished, problems } = await killRollouts(100);
print(`${kills} kills, ${steps} steps in the history, ${finished} rollouts reached everybody`);
print(
  problems.length === 0
    ? 'Every history is whole, and nothing was in force that was not stored.'
    : problems.join('\n'),
);
if (problems.length > 0) process.exitCode = 1;
