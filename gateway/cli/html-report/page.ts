import type { PublishedResults } from '../../../experiments/results/experiment-results.ts';
import type { MirrorResult } from '../../../experiments/results/mirror-results.ts';
import type { MetricResult } from '../../../experiments/statistics/analysis/results.ts';
import { signedPercent } from '../interval-plot.ts';
import { healthLines, thresholdLines } from '../results-report.ts';
import { mirrorLines } from '../mirror-report.ts';
import { figure, percent } from '../text-table.ts';
import { intervalChart, intervalText, ratioChart } from './charts.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { Markup as Raw } from './markup.ts';
import { STYLE } from './style.ts';

/**
 * An experiment's results as one page that needs nothing else: to be kept, mailed and printed.
 *
 * @param at when they were asked for, ISO 8601
 */
export function resultsPage(results: PublishedResults, at: string): string {
  const { experiment, phase, verdict, decision, variants, metrics, builtIn, health, mirrors, leftOut } =
    results;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${experiment}: ${verdict}</title>
        <style>
          ${new Raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${experiment}</h1>
          <p class="quiet">Phase ${phase}, as it stood at ${at}</p>
          <p class="verdict ${decision.kind}">${verdict}</p>
          ${section('Lift against the control', intervalChart(metrics), metrics.length === 0 ? html`<p class="quiet">No metric has outcomes yet.</p>` : metricTable(metrics))}
          ${section('Variants', ratioChart(health), variantTable(variants))}
          ${section('Whether it may be believed', html`${[...thresholdLines(results), ...healthLines(results)].map((line) => html`<p>${line}</p>`)}`)}
          ${
            results.allocation === null
              ? ''
              : section(
                  'Bandit',
                  html`<p>
                      On ${results.allocation.metric}:
                      ${Object.entries(results.allocation.weights).map(([name, weight]) => `${name} ${weight} `)}
                    </p>
                    <p class="quiet">${results.allocation.note}</p>`,
                )
          }
          ${mirrors.length === 0 ? '' : section('Mirrors', html`${mirrors.map(mirrorBlock)}`)}
          ${builtIn.length === 0 ? '' : section('Measured by the gateway', intervalChart(builtIn), metricTable(builtIn))}
          ${leftOut.length === 0 ? '' : section('Not analysed', html`${leftOut.map(({ metric, reason }) => html`<p>${metric}: ${reason}</p>`)}`)}
          <footer>
            Intervals and p-values are always-valid: they hold however often the experiment is looked at.
            Lifts are relative to the control. Written by signalbox results.
          </footer>
        </main>
      </body>
    </html> `;
  return page.text;
}

function section(title: string, ...parts: readonly (Markup | undefined)[]): Markup {
  return html`<section>
    <h2>${title}</h2>
    ${parts.filter((part) => part !== undefined)}
  </section>`;
}

function variantTable(variants: PublishedResults['variants']): Markup {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th>variant</th>
          <th>units</th>
          <th>requests</th>
          <th>stability index of answers</th>
        </tr>
      </thead>
      <tbody>
        ${variants.map(
          ({ name, units, exposures, drift }) =>
            html`<tr>
              <td>${name}</td>
              <td>${units}</td>
              <td>${exposures}</td>
              <td>${drift === null ? '–' : figure(drift.psi)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function metricTable(metrics: readonly MetricResult[]): Markup {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th>metric</th>
          <th class="left">role</th>
          <th class="left">variant</th>
          <th>control</th>
          <th>estimate</th>
          <th>lift</th>
          <th>always-valid interval</th>
          <th>p</th>
          <th>chance to win</th>
          <th>would find</th>
          <th>days to go</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${metrics.map(
          (metric) =>
            html`<tr>
              <td>${metric.name}</td>
              <td class="left">${metric.role}</td>
              <td class="left">${metric.variant}</td>
              <td>${figure(metric.control)}</td>
              <td>${figure(metric.estimate)}</td>
              <td>${metric.lift === null ? '–' : signedPercent(metric.lift)}</td>
              <td>${metric.anytime.interval === null ? '–' : intervalText(...metric.anytime.interval)}</td>
              <td>${metric.adjustedP.toPrecision(2)}</td>
              <td>${metric.chanceToWin === null ? '–' : percent(metric.chanceToWin)}</td>
              <td>
                ${metric.power.minimumDetectableLift === null ? '–' : `±${percent(metric.power.minimumDetectableLift)}`}
              </td>
              <td>${metric.power.daysToGo === null ? '–' : figure(metric.power.daysToGo)}</td>
              <td class="${metric.outcome}">${metric.outcome}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function mirrorBlock(result: MirrorResult): Markup {
  const [title = '', ...lines] = mirrorLines(result).filter((line) => line !== '');
  return html`<h3>${title.replace(/^mirror: /, '')}</h3>
    ${lines.map((line) => html`<p>${line.trim()}</p>`)}${
      result.flips.length === 0
        ? ''
        : html`<div class="wide">
            <table>
              <thead>
                <tr>
                  <th>${result.variant} says</th>
                  <th class="left">${result.mirror} says</th>
                  <th>rows</th>
                </tr>
              </thead>
              <tbody>
                ${result.flips.map(
                  ({ from, to, rows }) =>
                    html`<tr>
                      <td>${from}</td>
                      <td class="left">${to}</td>
                      <td>${rows}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>`
    }`;
}
