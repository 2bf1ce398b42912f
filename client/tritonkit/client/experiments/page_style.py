"""How the page of an experiment looks, by day and by night, on paper and on a phone."""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #59636e; --paper: #fff; --card: #f5f7f9;
  --edge: #d4dae0; --grid: #e3e8ec; --better: #0b6bb0; --worse: #bf4a00; --unsure: #6b7680;
  --s0: #0b6bb0; --s1: #bf4a00; --s2: #2f7d5b; --s3: #8250b4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #a3adb7; --paper: #14181c;
  --card: #1d2329; --edge: #38414a; --grid: #2a3138; --better: #6cb6f0; --worse: #ff9d5c;
  --unsure: #98a3ae; --s0: #6cb6f0; --s1: #ff9d5c; --s2: #6fcf9f; --s3: #c6a0f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.5rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; overflow-wrap: anywhere; }
p, li, dd, figcaption { max-width: 46rem; overflow-wrap: anywhere; }
.soft, figcaption, .note { color: var(--soft); }
figcaption, .note { font-size: .875rem; }
.verdict { background: var(--card); border-left: .35rem solid var(--unsure); border-radius: .25rem;
  padding: .75rem 1rem; margin: 1rem 0; }
.verdict.better { border-color: var(--better); } .verdict.worse { border-color: var(--worse); }
.verdict p { margin: .25rem 0; } .verdict .whole { font-size: 1.15rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9375rem; }
caption { text-align: left; color: var(--soft); font-size: .875rem; padding: .25rem 0; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--edge); text-align: right;
  vertical-align: top; white-space: nowrap; }
th[scope=row], th.left, td.left { text-align: left; }
th.wrap, td.wrap { white-space: normal; min-width: 9rem; max-width: 22rem;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--edge); }
td small { display: block; color: var(--soft); }
td.better, strong.better { color: var(--better); } td.worse, strong.worse { color: var(--worse); }
figure { margin: 1rem 0; max-width: 38rem; }
svg { display: block; width: 100%; height: auto; background: var(--card); border-radius: .25rem;
  font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.pair { display: grid; gap: 0 1.5rem; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
svg text { fill: var(--ink); } svg text.tick, svg text.hint { fill: var(--soft); font-size: 10px; }
svg .grid { stroke: var(--grid); } svg .zero { stroke: var(--soft); stroke-dasharray: 3 3; }
svg .bar { stroke-width: 3; stroke: var(--unsure); } svg .mark { fill: var(--unsure); }
svg .bar.better { stroke: var(--better); } svg .mark.better { fill: var(--better); }
svg .bar.worse { stroke: var(--worse); } svg .mark.worse { fill: var(--worse); }
svg .bar.q0 { stroke: var(--s0); } svg .bar.q1 { stroke: var(--s2); }
svg .bar.q2 { stroke: var(--s1); }
svg .mark.q0 { fill: var(--s0); } svg .mark.q1 { fill: var(--s2); }
svg .mark.q2 { fill: var(--s1); }
svg .bar.q0, svg .bar.q1, svg .bar.q2 { stroke-width: 2; opacity: .6; }
svg .area { fill: var(--unsure); opacity: .25; } svg .area.better { fill: var(--better); }
svg .area.worse { fill: var(--worse); } svg .least { fill: var(--grid); }
svg .curve { fill: none; stroke: var(--unsure); stroke-width: 2; stroke-linejoin: round; }
svg .curve.better { stroke: var(--better); } svg .curve.worse { stroke: var(--worse); }
svg .curve.s0 { stroke: var(--s0); } svg .curve.s1 { stroke: var(--s1); stroke-dasharray: 6 2; }
svg .curve.s2 { stroke: var(--s2); stroke-dasharray: 2 2; }
svg .curve.s3 { stroke: var(--s3); stroke-dasharray: 8 3 2 3; }
svg circle.s0 { fill: var(--s0); } svg circle.s1 { fill: var(--s1); }
svg circle.s2 { fill: var(--s2); } svg circle.s3 { fill: var(--s3); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .25rem 1rem;
  margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
pre { background: var(--card); border-radius: .25rem; padding: .75rem 1rem; overflow-x: auto; }
code { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
details { margin: 1rem 0; } summary { cursor: pointer; }
a { color: inherit; }
:focus-visible { outline: 2px solid var(--better); outline-offset: 2px; }
footer { margin: 2.5rem auto 1.5rem; }
@media print { .scroll { overflow: visible; } section { break-inside: avoid; } }
"""
