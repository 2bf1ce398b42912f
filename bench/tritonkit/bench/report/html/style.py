"""How the page of the bench looks, beyond what all pages have."""

__all__ = ["STYLE"]

STYLE = """
:root { --s4: #a3466b; --s5: #7a6a00; --heat: 11, 107, 176; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --s4: #f08fb0; --s5: #d9c755;
  --heat: 40, 112, 176; --warn: #e8b45c; } }
main, header, footer { max-width: 72rem; }
header { border-bottom: 1px solid var(--edge); padding-bottom: 1rem; }
.tiles { display: grid; gap: .75rem; margin: 1.25rem 0 0; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); }
.tile { background: var(--card); border-radius: .5rem; padding: .75rem 1rem; }
.tile dt { font-size: .8125rem; } .tile dd { font-size: 1.5rem; font-weight: 600; line-height: 1.3;
  font-variant-numeric: tabular-nums; } .tile dd small { display: block; font-size: .8125rem;
  font-weight: 400; color: var(--soft); overflow-wrap: anywhere; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0;
  margin: 1rem 0 0; font-size: .9375rem; }
.warnings { border-left: .35rem solid var(--warn); background: var(--card);
  border-radius: .25rem; padding: .5rem 1rem; margin: 1rem 0; }
.warnings ul { padding-left: 1.1rem; margin: .25rem 0; }
figure { max-width: none; } .pair { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem),
  1fr)); } .one { max-width: 44rem; }
svg { border-radius: .5rem; }
svg text.name { fill: var(--soft); font-size: 10px; }
svg .curve { stroke-width: 1.75; } svg .curve.faint { opacity: .45; stroke-dasharray: 2 3; }
svg .curve.s4 { stroke: var(--s4); stroke-dasharray: 10 2; }
svg .curve.s5 { stroke: var(--s5); stroke-dasharray: 1 3; stroke-linecap: round; }
svg .s0 .dot { fill: var(--s0); } svg .s1 .dot { fill: var(--s1); }
svg .s2 .dot { fill: var(--s2); } svg .s3 .dot { fill: var(--s3); }
svg .s4 .dot { fill: var(--s4); } svg .s5 .dot { fill: var(--s5); }
svg .dot { stroke: var(--card); stroke-width: 1; } svg .dot.faint { opacity: .4; }
svg .front { fill: none; stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
svg .part0 { fill: var(--s1); } svg .part1 { fill: var(--s2); } svg .part2 { fill: var(--s0); }
svg .part3 { fill: var(--s3); } svg .share { fill: rgb(var(--heat)); }
svg .cell { fill: rgb(var(--heat)); } svg text.in { font-size: 10px; text-anchor: middle; }
svg .shade { fill: var(--grid); opacity: .8; } svg .lost { fill: var(--worse); }
svg .off { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: .375rem; margin: .5rem 0; padding: 0; }
.legend button { font: inherit; font-size: .875rem; color: inherit; background: var(--card);
  border: 1px solid var(--edge); border-radius: 1rem; padding: .15rem .75rem; cursor: pointer;
  overflow-wrap: anywhere; text-align: left; }
.legend button::before { content: ""; display: inline-block; width: .75rem; height: .75rem;
  border-radius: 50%; margin-right: .4rem; vertical-align: -.08rem; background: var(--unsure); }
.legend .s0::before { background: var(--s0); } .legend .s1::before { background: var(--s1); }
.legend .s2::before { background: var(--s2); } .legend .s3::before { background: var(--s3); }
.legend .s4::before { background: var(--s4); } .legend .s5::before { background: var(--s5); }
.legend .p0::before { background: var(--s1); } .legend .p1::before { background: var(--s2); }
.legend .p2::before { background: var(--s0); } .legend .p3::before { background: var(--s3); }
.legend button[aria-pressed=false] { opacity: .5; text-decoration: line-through; }
.legend span { font-size: .875rem; padding: .15rem .75rem; }
.legend span::before { content: ""; display: inline-block; width: .75rem; height: .75rem;
  border-radius: .15rem; margin-right: .4rem; vertical-align: -.08rem; }
.command { position: relative; } .command button { position: absolute; top: .5rem; right: .5rem;
  font: inherit; font-size: .8125rem; color: inherit; background: var(--paper);
  border: 1px solid var(--edge); border-radius: .25rem; padding: .1rem .5rem; cursor: pointer; }
.command pre { padding-right: 5rem; }
th.wrap[scope=row] { min-width: 15rem; font-weight: 500; }
th, td { padding: .35rem .5rem; }
th small { display: block; font-weight: 400; color: var(--soft); }
summary { cursor: pointer; }
th small.unstable { color: var(--warn); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
dd { font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) { dl.known { grid-template-columns: 1fr; gap: 0; }
  dl.known dd { margin-bottom: .5rem; }
  svg text.tick, svg text.name, svg text.in { font-size: 13px; }
  th.wrap[scope=row] { min-width: 8.5rem; } }
@media print { .legend button, .command button { border: 0; } nav { display: none; } }
"""
