import { expect, test } from 'vitest';
import { COMMANDS } from '../../../gateway/cli/command-modules.ts';
import { signalbox } from '../../e2e/cli.ts';

test.each(Object.entries(COMMANDS))('%s is the command of that name', async (name, load) => {
  expect((await load()).name()).toBe(name);
});

test('who asks for a command that there is not is told where they are listed, all of them', async () => {
  await using nonsense = signalbox('nonsense');
  expect([await nonsense.ended, nonsense.stderr()]).toEqual([
    2,
    "error: unknown command 'nonsense'\n(see --help)\n",
  ]);
  await using help = signalbox('--help');
  expect(await help.ended).toBe(0);
  for (const name of [...Object.keys(COMMANDS), 'promote']) {
    expect(help.stdout()).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  }
});
