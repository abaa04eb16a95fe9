"""The page's style: one sheet, light and dark, wide and narrow, screen and paper."""

COLOURS = """
:root{color-scheme:light dark;
--bg:#faf9f6;--card:#fff;--ink:#1b1d22;--soft:#5d626b;--faint:#8d929b;--rule:#e7e4dd;--grid:#efede7;
--a:#2454d3;--h:#a3a7ae;--p:#3a3f47;--w:#6b7280;--up:#12805c;--down:#c3402a;
--long:#2454d3;--short:#d27a1c;--share:#2454d3;--fix:#c8671b;--source:#e6ebf5;--author:#efe4fb;--many:#e0f2e6}
@media(prefers-color-scheme:dark){:root{
--bg:#121418;--card:#191c21;--ink:#e9eaed;--soft:#a5aab3;--faint:#757b86;--rule:#2a2e35;--grid:#23262d;
--a:#7ea4ff;--h:#747a85;--p:#c9cdd4;--w:#8e95a1;--up:#4cc39a;--down:#ff8069;
--long:#5c8bff;--short:#eda04c;--share:#7ea4ff;--fix:#eda04c;--source:#212a38;--author:#2f2542;--many:#1b3026}}
"""

TYPE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 Inter,ui-sans-serif,system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums lining-nums;
-webkit-font-smoothing:antialiased}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 28px}
header{padding-top:52px}
.kicker{font-size:12px;letter-spacing:.09em;text-transform:uppercase;color:var(--soft);margin:0 0 6px;font-weight:600}
h1{font-size:40px;line-height:1.1;letter-spacing:-.028em;font-weight:680;margin:0 0 10px;overflow-wrap:anywhere}
h2{font-size:21px;letter-spacing:-.015em;font-weight:650;margin:0 0 4px}
h3{font-size:13.5px;font-weight:620;margin:0}
.lead{color:var(--soft);margin:0 0 14px;max-width:72ch;text-wrap:pretty}
.period{font-size:16px;color:var(--soft);margin:0 0 16px}.period b{color:var(--ink);font-weight:560}
section{margin:52px 0 0;padding-top:20px;border-top:1px solid var(--rule)}
section.top{margin-top:24px;border:0;padding:0}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.chips{display:flex;flex-wrap:wrap;gap:6px;margin:0 0 8px;padding:0;list-style:none}
.chips li{background:var(--card);border:1px solid var(--rule);border-radius:99px;padding:2px 11px;font-size:13px;
color:var(--soft)}
.chips b{color:var(--ink);font-weight:600;overflow-wrap:anywhere}
.none{color:var(--soft);font-size:14px;margin:8px 0}
.alert{border-left:3px solid var(--down);background:var(--card);padding:10px 14px;margin:14px 0;
border-radius:0 8px 8px 0}
.notes{padding-left:18px;color:var(--soft);margin:8px 0;max-width:80ch}
footer{color:var(--faint);font-size:12.5px;padding-top:28px;padding-bottom:48px}
"""

NUMBERS = """
.cards{display:grid;grid-template-columns:repeat(4,1fr);gap:1px;background:var(--rule);border:1px solid var(--rule);
border-radius:14px;overflow:hidden}
.card{background:var(--card);padding:15px 18px 13px;min-width:0}
.card h3{color:var(--soft);font-weight:500;font-size:13px}
.card p{margin:0}.card .value{font-size:27px;line-height:1.25;letter-spacing:-.025em;font-weight:640}
.card .beside{font-size:13px;color:var(--soft);display:flex;align-items:center;gap:7px}
.dash{display:inline-block;width:14px;height:2.5px;border-radius:2px;background:var(--h)}
.up{color:var(--up)}.down{color:var(--down)}
.facts{display:grid;grid-template-columns:repeat(3,auto);gap:0 36px;margin:16px 0 0;font-size:13.5px}
.facts>div{display:flex;justify-content:space-between;gap:14px;border-bottom:1px solid var(--grid);padding:5px 0}
.facts>div:nth-last-child(-n+2){grid-column:1/-1}
.facts dt{color:var(--soft);white-space:nowrap}.facts dd{margin:0;text-align:right}
.wide{overflow-x:auto;margin:0 -4px;padding:0 4px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{font-weight:500;color:var(--soft);text-align:left;font-size:12.5px;white-space:nowrap}
th,td{padding:6px 16px 6px 0;border-bottom:1px solid var(--grid);vertical-align:baseline}
thead th{border-color:var(--rule)}td{white-space:nowrap}.fixes td:nth-child(3){white-space:normal;min-width:220px}
td:last-child,th:last-child{padding-right:0}
.n{text-align:right;white-space:nowrap}.zero{color:var(--faint)}
td b{font-weight:580}.good{color:var(--up);font-weight:700}.bad{color:var(--down);font-weight:700}
.months{font-size:12.5px;border-collapse:separate;border-spacing:2px;min-width:820px;table-layout:fixed}
.months th,.months td{border:0;padding:7px 2px;text-align:center;white-space:nowrap;border-radius:5px}
.months th:first-child{width:52px;text-align:left}.months .out{background:var(--grid);opacity:.55}
.heat.up{background:color-mix(in srgb,var(--up) var(--heat),var(--card));color:var(--ink)}
.heat.down{background:color-mix(in srgb,var(--down) var(--heat),var(--card));color:var(--ink)}
.months .sum{font-weight:640}
.meter{display:inline-block;width:72px;height:5px;border-radius:3px;background:var(--grid);margin-right:10px;
vertical-align:middle}
.meter i{display:block;height:100%;border-radius:3px;background:var(--a)}
.manifest details{border-bottom:1px solid var(--grid);padding:7px 0}
.manifest summary{cursor:pointer;font-weight:560;font-size:13.5px}
.manifest summary span{color:var(--faint);font-weight:400}
.manifest .one{margin:0;padding:7px 0;border-bottom:1px solid var(--grid);font-size:13.5px}
.manifest .one b{font-weight:560;margin:0 14px}
.manifest dl{margin:4px 0 4px 16px}.manifest dl>div{display:flex;gap:14px;align-items:baseline}
.manifest dt{flex:0 0 auto;min-width:120px;max-width:40%;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.manifest dd{margin:0;min-width:0}
.manifest ul{margin:4px 0 4px 16px;padding:0;list-style:none}
.conventions{columns:2;column-gap:40px;font-size:13.5px;color:var(--soft)}
.conventions p{margin:0 0 8px;break-inside:avoid}.conventions b{color:var(--ink);font-weight:580}
"""

CHARTS = """
figure{margin:22px 0 0}.plot+.plot{margin-top:14px}
figcaption,.caption{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline;margin:0 0 8px}
figcaption>span,.caption>span{color:var(--soft);font-size:13px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin-left:auto;font-size:13px;color:var(--soft)}
.legend.below{margin:14px 0 0}.key{display:inline-flex;align-items:center;gap:7px}
.key b{color:var(--ink);font-weight:600}
.key i{width:14px;height:3px;border-radius:2px;background:var(--h)}.key i.a,.tip i.a{background:var(--a)}
.key i.long,.key i.short{height:11px;width:14px;opacity:.3;background:var(--long)}
.key i.short{background:var(--short)}
.key i.buy,.key i.sell{width:0;height:0;background:none;border:5px solid transparent;border-radius:0;border-top:0;
border-bottom:9px solid var(--up)}
.key i.sell{border-bottom:0;border-top:9px solid var(--down)}
.key i.box{width:16px;height:12px;border:1px solid var(--faint);border-radius:3px;background:var(--card)}
.key i.source{background:var(--source)}.key i.author{background:var(--author)}.key i.many{background:var(--many)}
.key i.pill{width:auto;height:auto;border-radius:9px;padding:0 6px;color:var(--card);font:600 10.5px/15px inherit;
font-style:normal;font-size:10.5px;line-height:15px}
.key i.pill.share{background:var(--share)}.key i.pill.fix{background:var(--fix)}
.plot{padding-right:58px}.plot.timed{padding-bottom:22px}.canvas{position:relative;touch-action:pan-y}
.canvas svg{display:block;width:100%;overflow:hidden}
.plot path{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.plot .grid{stroke:var(--grid);stroke-width:1}.plot .zero{stroke:var(--h)}.plot .v{stroke-opacity:.8}
.plot .line{stroke:var(--h);stroke-width:1.4}.plot .line.a{stroke:var(--a);stroke-width:1.9}
.plot .line.p{stroke:var(--p);stroke-width:1.15}.plot .line.w{stroke:var(--w);stroke-width:1}
.plot .area{stroke:none;fill:var(--h);fill-opacity:.2}.plot .area.a{fill:var(--a);fill-opacity:.13}
.plot rect.long{fill:color-mix(in srgb,var(--long) 17%,transparent)}
.plot rect.short{fill:color-mix(in srgb,var(--short) 24%,transparent)}
.mark{position:absolute;width:9px;height:8px;margin:5px 0 0 -4.5px;background:var(--up);
clip-path:polygon(50% 0,100% 100%,0 100%)}
.mark.sell{margin-top:-13px;background:var(--down);clip-path:polygon(0 0,100% 0,50% 100%)}
.plot .rug{stroke-width:1;stroke:var(--up);stroke-opacity:.75}.plot .rug.sell{stroke:var(--down)}
.yl,.xl{position:absolute;font-size:12px;line-height:1;color:var(--soft);white-space:nowrap;pointer-events:none}
.yl{left:100%;margin:-6px 0 0 9px}.xl{top:100%;margin-top:8px;transform:translateX(-50%)}
.hair{position:absolute;top:0;bottom:0;width:1px;background:var(--faint);display:none;pointer-events:none}
.tip{position:absolute;top:6px;display:none;pointer-events:none;z-index:2;background:var(--card);
border:1px solid var(--rule);
border-radius:8px;padding:7px 11px;font-size:12.5px;box-shadow:0 4px 18px rgb(0 0 0/.1);white-space:nowrap}
.tip.flip{transform:translateX(calc(-100% - 24px))}.tip time{color:var(--soft)}
.tip div{display:flex;gap:8px;align-items:center}.tip b{margin-left:auto;font-weight:600;padding-left:12px}
.tip i{width:10px;height:3px;border-radius:2px;background:var(--h)}.tip i.p{background:var(--p)}
.tip i.w{background:var(--w)}
.on .hair,.on .tip{display:block}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 32px}
.dag{display:block;width:100%;margin:14px auto 0}
.dag text{font-size:12.5px;fill:var(--ink);font-weight:560}
.dag .small{font-size:10.5px;fill:var(--soft);font-weight:400}
.dag .role{font-size:11px;fill:var(--a);font-weight:600}
.dag .edge{fill:none;stroke:var(--h);stroke-width:1.2;stroke-opacity:.75}
.dag .body{fill:var(--card);stroke:var(--h);stroke-width:1}.dag .source .body{fill:var(--source)}
.dag .author .body{fill:var(--author)}.dag .many .body{fill:var(--many)}
.dag .shared .body{stroke:var(--share);stroke-width:1.5}.dag .under{fill:none;stroke:var(--share);stroke-opacity:.45}
.dag .corrected .body{stroke:var(--fix);stroke-width:1.5}
.dag .badge text{font-size:10.5px;fill:var(--card);text-anchor:middle;font-weight:650}
.badge.share rect{fill:var(--share)}.badge.fix rect{fill:var(--fix)}
"""

NARROW = """
@media(max-width:900px){.cards{grid-template-columns:repeat(2,1fr)}.facts{grid-template-columns:1fr 1fr}}
@media(max-width:640px){main,header,footer{padding-left:16px;padding-right:16px}header{padding-top:28px}
h1{font-size:30px}
.card{padding:11px 13px}.card .value{font-size:22px}.facts{grid-template-columns:1fr}.facts dd{white-space:normal}
.plot{padding-right:50px}.plot .xl:nth-of-type(even){display:none}.grid{grid-template-columns:1fr}
.legend{margin-left:0}
.conventions{columns:1}section{margin-top:38px}}
@media print{body{background:#fff}section{break-inside:avoid}}
"""

STYLE = COLOURS + TYPE + NUMBERS + CHARTS + NARROW
