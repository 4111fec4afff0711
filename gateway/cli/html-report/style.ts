/** The page's own style: light and dark by the reader's wish, and fit for paper. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --quiet: #60646c; --line: #d9d9e0; --paper: #fff; --raised: #f6f7f9;
  --good: #18794e; --bad: #c62a2f; --open: #3e63dd; --band: #3e63dd33; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --quiet: #a8adb5; --line: #363a3f; --paper: #111214;
  --raised: #1b1d20; --good: #4cc38a; --bad: #ff6369; --open: #849dff; --band: #849dff33; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 2.25rem 0 .5rem; font-size: 1.1rem; }
p { margin: .25rem 0; }
.quiet { color: var(--quiet); }
.verdict { display: inline-block; margin: .9rem 0 .25rem; padding: .35rem .8rem; border-radius: .5rem; font-weight: 600;
  color: #fff; background: var(--open); }
.verdict.ship { background: var(--good); } .verdict.broken { background: var(--bad); }
@media (prefers-color-scheme: dark) { .verdict { color: #111214; } }
.wide { overflow-x: auto; }
h3 { margin: 1.25rem 0 .25rem; font-size: .95rem; }
table { width: 100%; border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 500; color: var(--quiet); }
th, td { padding: .3rem .45rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .left { text-align: left; }
.better { color: var(--good); font-weight: 600; } .worse { color: var(--bad); font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg text.quiet { fill: var(--quiet); }
footer { margin-top: 3rem; color: var(--quiet); font-size: .85rem; }
@media print { :root { color-scheme: light; --ink: #000; --quiet: #444; --line: #bbb; --paper: #fff; --good: #18794e; --bad: #c62a2f;
  --open: #3e63dd; --band: #3e63dd33; } main { padding: 0; } table { font-size: .65rem; } th, td { padding: .2rem .25rem; } .verdict { color: #000; background: none; border: 1px solid #000; }
  h2, tr, svg { break-inside: avoid; } h2 { break-after: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;
