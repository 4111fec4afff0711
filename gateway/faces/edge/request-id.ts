import { invalid } from '../../json-values.ts';

export const REQUEST_ID = 'x-request-id';

/** What may stand in a line of a log and in a header without a second meaning. */
const FORM = /^[\x21-\x7e]{1,128}$/;

/**
 * The id that a caller gave its request, which the answer and the access log say again.
 *
 * @throws GatewayError
 */
export function checkedRequestId(id: string): string {
  if (FORM.test(id)) return id;
  throw invalid(
    `X-Request-Id has ${id.length} characters, or some that are no printable ASCII; expected 1 to 128 without spaces`,
  );
}
