import { useState } from 'preact/hooks';
import type { PointShape } from '../shapes.ts';
import { count, interval, moment, signedPercent } from '../words/numbers.ts';

interface HistoryTableProps {
  readonly points: readonly PointShape[];
  readonly metric: string;
  readonly variants: readonly string[];
}

const MOST_ROWS = 12;

/** The chart's figures, for those who read rather than see. */
export function HistoryTable({ points, metric, variants }: HistoryTableProps) {
  const [isOpen, setOpen] = useState(false);
  const step = Math.max(1, Math.ceil(points.length / MOST_ROWS));
  const rows = points.filter((_point, index) => (points.length - 1 - index) % step === 0);
  return (
    <details
      onToggle={({ currentTarget }) => {
        setOpen(currentTarget.open);
      }}
    >
      <summary>As a table</summary>
      {isOpen && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${metric} over time`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col" class="number">
                  Units
                </th>
                {variants.map((variant) => (
                  <th scope="col" key={variant}>
                    {metric} of {variant}
                  </th>
                ))}
                <th scope="col">Verdict</th>
              </tr>
            </thead>
            <tbody>
              {[...rows].reverse().map((point) => (
                <tr key={point.atMs}>
                  <th scope="row">{moment(point.atMs)}</th>
                  <td class="number">
                    {count(Object.values(point.variants).reduce((sum, { units }) => sum + units, 0))}
                  </td>
                  {variants.map((variant) => {
                    const known = point.intervals[`${metric}/${variant}`];
                    return (
                      <td key={variant}>
                        {known === undefined || known[0] === null
                          ? '—'
                          : `${signedPercent(known[0])} (${interval([known[1], known[2]])})`}
                      </td>
                    );
                  })}
                  <td>{point.verdict}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
