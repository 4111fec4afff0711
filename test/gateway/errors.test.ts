import { expect, test } from 'vitest';
import { GatewayError } from '../../gateway/errors.ts';

test('only what may be the gateway’s own fault says where it was made; others’ errors still do', () => {
  for (const code of ['overloaded', 'rate_limited', 'unauthorized', 'invalid_request'] as const)
    expect(new GatewayError(code, 'no').stack).not.toContain('errors.test.ts');
  expect(new GatewayError('internal', 'no').stack).toContain('errors.test.ts');
  expect(new Error('another').stack).toContain('errors.test.ts');
});
