import { SpoolPlace } from '../../../gateway/state/spool-place.ts';
import { Spool } from '../../../gateway/state/spool.ts';
import { outcome } from '../../experiments/stores/samples.ts';

/** Keeps an outcome on disk, says so, and waits to be killed. Its argument is the folder. */
const spool = new Spool(new SpoolPlace(process.argv[2] ?? ''), 'outcomes');
await spool.open();
await spool.append([outcome('a-test', { uid: 'killed' })]);
process.stdout.write('kept\n');
setInterval(() => undefined, 1000);
