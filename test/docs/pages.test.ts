import { expect, test } from 'vitest';
import { deedOf, tryPage } from './page-runner.ts';
import { GUIDES, blocksOfPage, missingFor, withoutLong } from './pages.ts';

const PAGES = await Promise.all(GUIDES.map(async (page) => ({ page, blocks: await blocksOfPage(page) })));
const TRIED = PAGES.map(({ page, blocks }) => ({ page, blocks: withoutLong(blocks) })).filter(({ blocks }) =>
  blocks.some((block) => ['run', 'serve'].includes(deedOf(block).kind)),
);

// Beside each other, but not all at once: each has a gateway or two.
test.concurrent.for(TRIED)(
  'the commands of $page do what it says',
  { timeout: 300_000 },
  async ({ blocks }, { skip }) => {
    const missing = await missingFor(blocks);
    if (missing.length > 0) skip(missing.join('; '));
    await tryPage(blocks, { clone: true, npx: false, timeoutMs: 120_000 });
  },
);

test('what is not tried anywhere is known, with its reason', () => {
  const left = PAGES.flatMap(({ page, blocks }) =>
    blocks.flatMap((block) => {
      const deed = deedOf(block);
      return deed.kind === 'leave' ? [`${page}: ${deed.reason}`] : [];
    }),
  );
  expect(left).toEqual([
    'README.md: it is what runs this',
    'docs/containers.md: needs a container engine; test/deploy/container.test.ts takes the steps of the Dockerfile without one',
    'docs/containers.md: needs a container engine',
    'docs/embedding.md: test/e2e/package.test.ts installs what npm run package packs, into an empty project',
    "docs/gpu.md: downloads CUDA's files from a host that many networks refuse",
    'docs/grpc.md: grpcurl is in no registry that tests install from; test/gateway/faces/grpc/ asks the same with another client',
    "docs/kubernetes.md: needs a cluster; test/deploy/kubernetes.test.ts renders both and holds them against the API's schemas",
    'docs/kubernetes.md: needs a cluster',
    'docs/kubernetes.md: needs a cluster',
    'docs/kubernetes.md: needs a cluster',
    "docs/models.md: torchvision's words for it; test/backends/image/torchvision.test.ts compares",
    'docs/observability.md: writes to /etc',
    "docs/systemd.md: needs root and systemd; test/e2e/systemd.test.ts speaks to a socket as systemd's",
  ]);
});
