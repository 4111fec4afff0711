import { listTexts, writtenInTurns } from './long-tensor.ts';
import type { LongTensor } from './long-tensor.ts';
import type { V2Response } from './written-response.ts';

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
    const json = await writtenInTurns(this.#texts(), isWanted);
    if (json === undefined) return undefined;
    return this.#binary === undefined
      ? { body: json, jsonBytes: undefined }
      : { body: Buffer.concat([json, this.#binary]), jsonBytes: json.length };
  }

  *#texts(): Generator<string> {
    yield `${JSON.stringify(this.#head).slice(0, -1)},"outputs":`;
    yield* listTexts(this.#outputs);
    yield '}';
  }
}
