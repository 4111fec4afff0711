import type { ResultsShape } from '../shapes.ts';
import { count, percent, pValue } from '../words/numbers.ts';
import { Badge } from './badge.tsx';

/** Whether the result may be believed, each check with what it looked at. */
export function HealthPanel({ results: { health } }: { readonly results: ResultsShape }) {
  const { srm, outcomes, overrides, clientErrors, models, units, signatures } = health;
  const causes = Object.entries(srm.causes).flatMap(([dimension, segments]) =>
    segments.map(({ name, units: seen }) => `${dimension} ${name} (${count(seen)} units)`),
  );
  return (
    <>
      <ul class="checks">
        <Check isOk={srm.ok} title="Sample ratio">
          p {pValue(srm.p)}, valid at every look
        </Check>
        <Check isOk={outcomes.ok} title="Outcomes arrive">
          for {percent(outcomes.share)} of the units
        </Check>
        <Check isOk={overrides.ok} title="Few are forced">
          {percent(overrides.share)} of the requests
        </Check>
        <Check isOk={models.ok} title="One model each">
          {models.ok ? 'all the while' : `${models.changed.join(', ')} changed`}
        </Check>
        <Check isOk={clientErrors.ok} title="Callers turned away alike">
          {Object.entries(clientErrors.shares)
            .map(([name, share]) => `${name} ${percent(share)}`)
            .join(', ')}
        </Check>
        <Check isOk={signatures.ok} title="Same requests fit all">
          {signatures.misfits.length === 0
            ? 'inputs and outputs as control has them'
            : `${[...new Set(signatures.misfits.map(({ variant }) => variant))].join(', ')} differs`}
        </Check>
        <li>
          <Badge tone={units.ok ? 'good' : 'open'}>{units.ok ? 'enough' : 'few yet'}</Badge>
          <b>Units</b>
          <span class="quiet">at least {count(units.least)} in each variant</span>
        </li>
      </ul>
      {signatures.misfits.map(({ message }) => (
        <p key={message} class="note">
          {message}.
        </p>
      ))}
      {causes.length > 0 && <p class="note">Look at {causes.join(', ')}.</p>}
      <table class="figures-table">
        <caption>Units against the weights</caption>
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col">Expected</th>
            <th scope="col">Seen</th>
            <th scope="col">Off by</th>
          </tr>
        </thead>
        <tbody>
          {srm.variants.map(({ variant, units: seen, expected }) => (
            <tr key={variant}>
              <th scope="row">{variant}</th>
              <td>{count(expected)}</td>
              <td>{count(seen)}</td>
              <td>{expected === 0 ? '—' : signed(seen - expected)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Check({
  isOk,
  title,
  children,
}: {
  readonly isOk: boolean;
  readonly title: string;
  readonly children: (string | number)[] | string;
}) {
  return (
    <li>
      <Badge tone={isOk ? 'good' : 'bad'}>{isOk ? 'fine' : 'not fine'}</Badge>
      <b>{title}</b>
      <span class="quiet">{children}</span>
    </li>
  );
}

function signed(value: number): string {
  const rounded = Math.round(value);
  return rounded === 0 ? '0' : `${rounded > 0 ? '+' : '−'}${count(Math.abs(rounded))}`;
}
