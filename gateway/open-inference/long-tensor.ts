import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { refuseWhatJsonLacks, tensorToJson } from './tensor-json.ts';

/** Elements whose JSON is written in one turn of the event loop: some two milliseconds. */
const ELEMENTS_PER_TURN = 8192;

/** Whether the JSON of a tensor takes longer than the main thread may be held by one caller. */
export function isLongAsJson({ data }: Tensor): boolean {
  return data.length > ELEMENTS_PER_TURN;
}

/** A tensor that is to be written as JSON, a part in each turn. The memory that it comes in is only lent: it has the elements to itself. */
export class LongTensor {
  readonly #tensor: Tensor;
  readonly #parameters: object | undefined;

  /**
   * @param parameters that are said of it
   * @throws GatewayError `non_finite_output`: once the writing has begun it is too late to refuse it
   */
  constructor(tensor: Tensor, parameters?: object) {
    refuseWhatJsonLacks(tensor);
    this.#tensor = elementsOf(tensor, 0, tensor.data.length);
    this.#parameters = parameters;
  }

  *texts(): Generator<string> {
    const { name, datatype, shape, data } = this.#tensor;
    const head = { name, datatype, shape, ...(this.#parameters && { parameters: this.#parameters }) };
    yield `${JSON.stringify(head).slice(0, -1)},"data":[`;
    for (let start = 0; start < data.length; start += ELEMENTS_PER_TURN) {
      const part = elementsOf(this.#tensor, start, start + ELEMENTS_PER_TURN);
      yield `${start === 0 ? '' : ','}${JSON.stringify(tensorToJson(part)).slice(1, -1)}`;
    }
    yield ']}';
  }
}

/** A copy of some of the elements; its shape stays the whole tensor's. */
function elementsOf(tensor: Tensor, start: number, end: number): Tensor {
  return tensor.datatype === 'BYTES'
    ? { ...tensor, data: tensor.data.slice(start, end) }
    : { ...tensor, data: tensor.data.slice(start, end) };
}

/** A list of tensors as JSON; those that are described already stand in it as they are. */
export function* listTexts(tensors: readonly (LongTensor | object)[]): Generator<string> {
  yield '[';
  for (const [index, tensor] of tensors.entries()) {
    if (index > 0) yield ',';
    if (tensor instanceof LongTensor) yield* tensor.texts();
    else yield JSON.stringify(tensor);
  }
  yield ']';
}

/**
 * Writes each of the texts in a turn of the event loop of its own.
 *
 * @param isWanted asked in each turn; undefined is answered once it isn't
 */
export async function writtenInTurns(
  texts: Iterable<string>,
  isWanted: () => boolean,
): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  for (const text of texts) {
    parts.push(Buffer.from(text));
    await nextTurn();
    if (!isWanted()) return undefined;
  }
  return Buffer.concat(parts);
}
