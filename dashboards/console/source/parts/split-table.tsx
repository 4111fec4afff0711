import type { ExperimentShape, ResultsShape } from '../shapes.ts';
import { count, percent, rate } from '../words/numbers.ts';
import { variantColor, whereIs } from '../words/variants.ts';

interface SplitTableProps {
  readonly experiment: ExperimentShape;
  readonly results: ResultsShape;
  /** Requests a second. */
  readonly rates: ReadonlyMap<string, number>;
}

/** What is planned, what was seen, and what comes in now. */
export function SplitTable({ experiment: { variants, control }, results, rates }: SplitTableProps) {
  const names = variants.map(({ name }) => name);
  const units = results.variants.reduce((sum, variant) => sum + variant.units, 0);
  return (
    <table class="figures-table">
      <thead>
        <tr>
          <th scope="col">Variant</th>
          <th scope="col">Planned</th>
          <th scope="col">Seen</th>
          <th scope="col">Units</th>
          <th scope="col">Req/s</th>
        </tr>
      </thead>
      <tbody>
        {variants.map((variant) => {
          const { name, share } = variant;
          const seen = results.variants.find((each) => each.name === name)?.units ?? 0;
          return (
            <tr key={name}>
              <th scope="row">
                <i class={`swatch ${variantColor(name, names, control)}`} aria-hidden="true" />
                {name}
                <small>
                  {whereIs(variant)}
                  {name === control ? ', control' : ''}
                </small>
              </th>
              <td>{percent(share)}</td>
              <td>{units === 0 ? '—' : percent(seen / units)}</td>
              <td>{count(seen)}</td>
              <td>{rate(rates.get(name) ?? 0)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
