import { join } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';
import { LONG_FILES } from './long-files.ts';

/** Vitest knows only after a first run which files take long. One of them that begins last leaves all cores but one idle. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const rank = new Map(LONG_FILES.map((file, index) => [join(root, file), index]));
    const rankOf = ({ moduleId }: TestSpecification): number => rank.get(moduleId) ?? LONG_FILES.length;
    return (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
