import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { refuseWhatJsonLacks, tensorToJson } from './tensor-json.ts';
import type { V2Response } from './written-response.ts';

/** Elements whose JSON is written in one turn of the event loop: some two milliseconds. */
const ELEMENTS_PER_TURN = 8192;

/** Whether the JSON of a tensor takes longer than the main thread may be held by one caller. */
export function isLongAsJson({ data }: Tensor): boolean {
  return data.length > ELEMENTS_PER_TURN;
}

/** A tensor that is to be written as JSON, a part in each turn. The answer's memory is only lent: it has the elements to itself. */
export class LongTensor {
  readonly #tensor: Tensor;

  /** @throws GatewayError `non_finite_output`: once the answer has begun it is too late to refuse it */
  constructor(tensor: Tensor) {
    refuseWhatJsonLacks(tensor);
    this.#tensor = elementsOf(tensor, 0, tensor.data.length);
  }

  *texts(): Generator<string> {
    const { name, datatype, shape, data } = this.#tensor;
    yield `${JSON.stringify({ name, datatype, shape }).slice(0, -1)},"data":[`;
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

/** An answer with so many numbers as text that the main thread would be held while it is written: it is written over several turns. */
export class LongV2Response {
  readonly #head: object;
  readonly #outputs: readonly (LongTensor | object)[];
  readonly #binary: Buffer | undefined;

  /**
   * @param head what stands before the outputs
   * @param binary the outputs that are not JSON; undefined: there are none
   */
  constructor(head: object, outputs: readonly (LongTensor | object)[], binary: Buffer | undefined) {
    this.#head = head;
    this.#outputs = outputs;
    this.#binary = binary;
  }

  /** @param isWanted asked in each turn; undefined is answered once it isn't */
  async written(isWanted: () => boolean): Promise<V2Response | undefined> {
    const parts: Buffer[] = [];
    for (const text of this.#texts()) {
      parts.push(Buffer.from(text));
      await nextTurn();
      if (!isWanted()) return undefined;
    }
    if (this.#binary === undefined) return { body: Buffer.concat(parts), jsonBytes: undefined };
    const jsonBytes = parts.reduce((sum, { length }) => sum + length, 0);
    return { body: Buffer.concat([...parts, this.#binary]), jsonBytes };
  }

  *#texts(): Generator<string> {
    yield `${JSON.stringify(this.#head).slice(0, -1)},"outputs":[`;
    for (const [index, output] of this.#outputs.entries()) {
      if (index > 0) yield ',';
      if (output instanceof LongTensor) yield* output.texts();
      else yield JSON.stringify(output);
    }
    yield ']}';
  }
}
