import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, newRequestKey } from '../session.ts';
import type { ExperimentShape } from '../shapes.ts';
import { percent } from '../words/numbers.ts';
import { headlineOf } from '../words/rollout-plan.ts';
import { announce } from './announcer.tsx';

export type ActionName = 'promote' | 'pause' | 'resume' | 'rollback';

interface ActionDialogProps {
  readonly experiment: ExperimentShape;
  readonly action: ActionName;
  readonly onClose: () => void;
}

type Preview =
  | { readonly kind: 'asking' }
  | { readonly kind: 'known'; readonly after: Changed; readonly weightsVersion: number | undefined }
  | { readonly kind: 'refused'; readonly message: string };

type Changed = ExperimentShape & { readonly changed: boolean };

const VERBS: Readonly<Record<ActionName, string>> = {
  promote: 'Promote',
  pause: 'Pause',
  resume: 'Resume',
  rollback: 'Roll back',
};

const DONE: Readonly<Record<ActionName, string>> = {
  promote: 'promoted',
  pause: 'paused',
  resume: 'resumed',
  rollback: 'rolled back',
};

/** Asks why, and tells what will happen: the gateway itself says it, by a dry run of the same command. */
export function ActionDialog({ experiment, action, onClose }: ActionDialogProps) {
  const { key, control, variants } = experiment;
  const challengers = variants.filter(({ name }) => name !== control).map(({ name }) => name);
  const hasRollout = experiment.rollout !== undefined;
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const [variant, setVariant] = useState(challengers[0] ?? control);
  const [isFull, setFull] = useState(false);
  const [preview, setPreview] = useState<Preview>({ kind: 'asking' });
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const [isSending, setSending] = useState(false);
  // A command that is sent twice, as its answer got lost, is carried out once.
  const [requestKey] = useState(newRequestKey);
  const path = `experiments/${encodeURIComponent(key)}/${action}`;
  const choice = action === 'promote' ? (hasRollout ? { full: isFull } : { variant }) : {};

  // What is carried out is what was shown; the way back is the same from everywhere.
  const seen =
    action !== 'rollback' && preview.kind === 'known' ? { weightsVersion: preview.weightsVersion } : {};

  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setPreview({ kind: 'asking' });
    ask<Changed>(path, { body: { ...choice, reason: 'what would come of it', dryRun: true }, signal })
      .then((after) => {
        setPreview({ kind: 'known', after, weightsVersion: experiment.standing?.version });
      })
      .catch((error: unknown) => {
        if (!signal.aborted) setPreview({ kind: 'refused', message: wordsOf(error) });
      });
    return () => {
      controller.abort();
    };
    // Where somebody has acted meanwhile, something else would come of it.
  }, [variant, isFull, experiment.standing?.version]);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setSending(true);
    setFailure(undefined);
    try {
      const { changed } = await ask<Changed>(path, {
        body: { ...choice, ...seen, reason: reason.trim() },
        requestKey,
      });
      announce(changed ? `${key} is ${DONE[action]}.` : `${key} stood there already; nothing was changed.`);
      dialog.current?.close();
    } catch (error) {
      setFailure(wordsOf(error));
      setSending(false);
    }
  };

  return (
    <dialog ref={dialog} aria-labelledby="action" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="action">
          {VERBS[action]} {key}?
        </h2>
        {action === 'promote' && hasRollout && (
          <fieldset>
            <legend>How far</legend>
            <Radio
              name="far"
              label="To the next step"
              isChosen={!isFull}
              onChoose={() => {
                setFull(false);
              }}
            />
            <Radio
              name="far"
              label="To the end"
              isChosen={isFull}
              onChoose={() => {
                setFull(true);
              }}
            />
          </fieldset>
        )}
        {action === 'promote' && !hasRollout && challengers.length > 1 && (
          <fieldset>
            <legend>Whom</legend>
            {challengers.map((name) => (
              <Radio
                key={name}
                name="variant"
                label={name}
                isChosen={name === variant}
                onChoose={() => {
                  setVariant(name);
                }}
              />
            ))}
          </fieldset>
        )}
        <div class="preview" aria-live="polite">
          <PreviewText experiment={experiment} action={action} preview={preview} />
        </div>
        <label for="reason">Why</label>
        <textarea
          id="reason"
          rows={2}
          maxLength={500}
          required
          autofocus
          value={reason}
          placeholder="The audit log keeps it"
          onInput={({ currentTarget }) => {
            setReason(currentTarget.value.replaceAll('\n', ' '));
          }}
        />
        {failure !== undefined && (
          <p class="form-error" role="alert">
            {failure}.
          </p>
        )}
        <div class="dialog-buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="submit"
            class={action === 'rollback' ? 'danger primary' : 'primary'}
            disabled={isSending || reason.trim() === '' || preview.kind === 'refused'}
          >
            {VERBS[action]}
          </button>
        </div>
      </form>
    </dialog>
  );
}

interface RadioProps {
  readonly name: string;
  readonly label: string;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Radio({ name, label, isChosen, onChoose }: RadioProps) {
  return (
    <label class="radio">
      <input type="radio" name={name} checked={isChosen} onChange={onChoose} />
      {label}
    </label>
  );
}

interface PreviewTextProps {
  readonly experiment: ExperimentShape;
  readonly action: ActionName;
  readonly preview: Preview;
}

function PreviewText({ experiment, action, preview }: PreviewTextProps) {
  if (preview.kind === 'asking') return <p class="quiet">Asking the gateway what would come of it …</p>;
  if (preview.kind === 'refused') return <p class="form-error">{preview.message}.</p>;
  const { after } = preview;
  if (!after.changed) return <p>It stands there already: nothing would change.</p>;
  return (
    <>
      <table class="figures-table">
        <caption>The split, within a second on every replica</caption>
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col">Now</th>
            <th scope="col">Then</th>
          </tr>
        </thead>
        <tbody>
          {after.variants.map(({ name, share }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{percent(experiment.variants.find((before) => before.name === name)?.share ?? 0)}</td>
              <td>
                <b>{percent(share)}</b>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>{consequence(experiment, action, after)}</p>
    </>
  );
}

function consequence({ control, rollout }: ExperimentShape, action: ActionName, after: Changed): string {
  if (rollout !== undefined && after.rollout !== undefined) {
    const then = `${headlineOf(after, after.rollout)}.`;
    if (action === 'pause') return `${then} Guardrails and floors still roll it back.`;
    return action === 'rollback' ? `${then} Those too whom a rule would send elsewhere.` : then;
  }
  switch (action) {
    case 'promote':
      return after.status === 'completed'
        ? `The experiment ends: everybody gets ${after.winner ?? control}, and nothing more counts.`
        : 'Only the units that must move do; what was counted stays, by the weights it was counted under.';
    case 'pause':
      return `Everybody gets ${control}, and nothing counts until it is resumed. The weights are kept.`;
    case 'resume':
      return 'It goes on with these weights, and counts again.';
    case 'rollback':
      return `Everybody gets ${control}, those too whom a rule would send elsewhere. The experiment ends; resuming starts it from its file’s weights again.`;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof TypeError
    ? 'the gateway can’t be reached'
    : error instanceof Error
      ? error.message
      : String(error);
}
