import { expect, test } from 'vitest';
import { soakDeaths } from '../../bench/soak/soak-deaths.ts';

test('workers die under load, and no answer is lost or another caller’s (the short form of `npm run soak:deaths`)', async () => {
  const { deaths, lost, mixed, answered, poisonStatuses } = await soakDeaths({ deaths: 4, requests: 500 });
  expect({ lost, mixed, poisonStatuses }).toEqual({ lost: [], mixed: 0, poisonStatuses: [500] });
  expect(deaths).toBeGreaterThanOrEqual(4);
  expect(answered).toBeGreaterThanOrEqual(500);
});
