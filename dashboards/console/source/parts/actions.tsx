import { useState } from 'preact/hooks';
import { connection, hello } from '../live/feed.ts';
import { useObservable } from '../observable.ts';
import type { ExperimentShape } from '../shapes.ts';
import { ActionDialog } from './action-dialog.tsx';
import type { ActionName } from './action-dialog.tsx';

const LABELS: Readonly<Record<ActionName, string>> = {
  promote: 'Promote…',
  pause: 'Pause…',
  resume: 'Resume…',
  rollback: 'Roll back…',
};

/** What a person can do to the experiment; each asks for a reason, and tells what will come of it. */
export function Actions({ experiment }: { readonly experiment: ExperimentShape }) {
  const [open, setOpen] = useState<ActionName | undefined>(undefined);
  const caller = useObservable(hello)?.caller;
  const isLive = useObservable(connection).kind === 'live';
  const mayWrite = caller?.scopes.includes('admin:write') === true;
  const why = !isLive
    ? 'The gateway can’t be reached'
    : mayWrite
      ? undefined
      : 'Your key lacks the scope admin:write';
  return (
    <div class="actions">
      {offeredFor(experiment).map((action) => (
        <button
          key={action}
          type="button"
          class={action === 'rollback' ? 'danger' : ''}
          disabled={why !== undefined}
          title={why}
          onClick={() => {
            setOpen(action);
          }}
        >
          {LABELS[action]}
        </button>
      ))}
      {!mayWrite && caller !== undefined && <p class="quiet actions-why">Your key may read only.</p>}
      {open !== undefined && (
        <ActionDialog
          experiment={experiment}
          action={open}
          onClose={() => {
            setOpen(undefined);
          }}
        />
      )}
    </div>
  );
}

/** What can come of something, as it stands. */
function offeredFor({ status, rollout, standing }: ExperimentShape): readonly ActionName[] {
  // What the state store had lost holds until somebody says that it goes on.
  if (standing?.isRecovered === true) return ['promote', 'resume', 'rollback'];
  if (rollout === undefined) return ['promote', status === 'running' ? 'pause' : 'resume', 'rollback'];
  const { state } = rollout;
  switch (state.kind) {
    case 'progressing':
    case 'waiting_for_approval':
      return ['promote', 'pause', 'rollback'];
    case 'paused':
      return ['promote', state.hold.by === 'plan' ? 'pause' : 'resume', 'rollback'];
    case 'pending':
    case 'promoting':
    case 'succeeded':
    case 'rolling_back':
      return ['rollback'];
    case 'rolled_back':
    case 'aborted':
      return ['promote', 'resume'];
  }
}
