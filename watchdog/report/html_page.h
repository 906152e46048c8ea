// The parts of the HTML report that are the same in each: styles, the header with its filter
// box, and the script. The page's Content-Security-Policy names the script by its digest, so
// that no other can run; a test says what it must be when the script has changed.
#pragma once

namespace lockwarden {

// "{title}" stands where the page's title goes.
inline constexpr char kPageHead[] =
    R"page(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Lockwarden: {title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';
script-src 'sha256-eZcXP1ieLa9L1+FvN5P95oYCVxm2aXH9051pSpadP5o='">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<style>
)page"
    R"page(:root{--ground:#f6f7fa;--card:#fff;--line:#dfe3ec;--text:#1b2130;--quiet:#5b6478;
--accent:#3f55c6;--bad:#b4231f;--bad-ground:#fde8e6;--warn:#8a5a00;--thread:#eef1fb;--mark:#fff3c4}
@media (prefers-color-scheme:dark){:root{--ground:#0f131b;--card:#171c27;--line:#2a3140;
--text:#e4e8f1;
--quiet:#98a2b8;--accent:#93a5ff;--bad:#ff8a80;--bad-ground:#351614;--warn:#f0c060;--thread:#1f2637;
--mark:#3a3213}}
*{box-sizing:border-box}
html{background:var(--ground);color:var(--text);color-scheme:light dark}
body{margin:0 auto;max-width:72rem;padding:0 1rem 3rem;
font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:baseline;padding:1.2rem 0 .9rem}
h1{font-size:1.35rem;margin:0 auto 0 0}
h2{font-size:1.15rem;margin:0 0 .6rem;overflow-wrap:anywhere}
h3{font-size:.95rem;margin:1.1rem 0 .35rem}
h4{font-size:.85rem;margin:.6rem 0 .15rem;overflow-wrap:anywhere}
input,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);
border-radius:.5rem;padding:.3rem .7rem}
input{min-width:min(22rem,100%)}
button{cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
article{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--quiet);
border-radius:.6rem;padding:1rem 1.2rem;margin:0 0 1.1rem}
article.error{border-left-color:var(--bad)}article.error h2{color:var(--bad)}
article.warning{border-left-color:var(--warn)}
.facts{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;margin:0 0 .7rem;font-size:.85rem}
.facts div{display:flex;gap:.35rem}.facts dt{color:var(--quiet)}
.facts dd{margin:0;overflow-wrap:anywhere}
.story,.list{margin:.2rem 0;padding-left:1.1rem;overflow-wrap:anywhere}
.quiet,.place,figcaption{color:var(--quiet);font-size:.85rem;font-weight:400}
figure{margin:.9rem 0;overflow-x:auto}
svg{max-width:max(100%,38rem);height:auto}
svg text{font:13px system-ui,"DejaVu Sans",sans-serif;text-anchor:middle;fill:var(--text)}
svg .name{font-weight:600}svg .small{font-size:11px;fill:var(--quiet)}
svg .node rect{fill:var(--thread);stroke:var(--quiet);stroke-width:1.25}
svg .lock rect{fill:var(--card)}svg .stuck rect{stroke:var(--bad);stroke-width:2}
svg .behind rect{stroke-dasharray:4 3}
svg .edge{fill:none;stroke:var(--quiet);stroke-width:1.75}svg .waits{stroke-dasharray:6 4}
svg .edge.stuck{stroke:var(--bad)}svg .head{fill:var(--quiet)}svg .head.stuck{fill:var(--bad)}
.thread{border-top:1px solid var(--line);padding:.35rem 0}
.thread summary{cursor:pointer;font-weight:600;overflow-wrap:anywhere}
ol{margin:.1rem 0;padding-left:2.4rem}li{overflow-wrap:anywhere}
.faint{color:var(--quiet)}
code,.source{font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace}
.source{background:var(--ground);border:1px solid var(--line);border-radius:.4rem;margin:.25rem 0;
padding:.35rem .5rem;overflow-x:auto}
.source b{background:var(--mark);font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.88rem}
th{text-align:left;color:var(--quiet);font-weight:500;padding:.15rem .8rem .15rem 0}
td{border-top:1px solid var(--line);padding:.25rem .8rem .25rem 0;overflow-wrap:anywhere}
@media print{:root{--ground:#fff;--card:#fff;--line:#bbb;--text:#000;--quiet:#444;--bad:#a00;
--warn:#640;--thread:#f2f2f2;--mark:#eee}
body{max-width:none;padding:0;font-size:10pt}header input,header button{display:none}
article{border-width:1px 0 0;border-radius:0;padding:.6rem 0}
figure,h2,h3,h4,tr,li{break-inside:avoid}h2,h3,h4{break-after:avoid}}
)page"
    R"page(</style></head><body>
<header><h1>{title}</h1><span id="shown" class="quiet" role="status"></span>
<input id="filter" type="search" aria-label="Filter"
placeholder="Filter: thread, function, file, lock">
<button id="open" type="button">Open all</button>
<button id="close" type="button">Close all</button></header>
<main>
)page";
inline constexpr char kPageTail[] =
    R"page(</main><script>)page"
    R"page("use strict";
const box = document.getElementById("filter");
const articles = [...document.querySelectorAll("article")];
const all = (open) => {
  for (const part of document.querySelectorAll("details")) part.open = open;
};
const apply = () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const article of articles) {
    const text = article.textContent.toLowerCase();
    article.hidden = !words.every((word) => text.includes(word));
    if (!article.hidden) ++shown;
  }
  document.getElementById("shown").textContent =
    words.length ? shown + " of " + articles.length + " shown" : "";
};
box.addEventListener("input", apply);
document.getElementById("open").addEventListener("click", () => all(true));
document.getElementById("close").addEventListener("click", () => all(false));
let before = [];
addEventListener("beforeprint", () => {
  before = [...document.querySelectorAll("details:not([open])")];
  all(true);
});
addEventListener("afterprint", () => { for (const part of before) part.open = false; });
)page"
    R"page(</script></body></html>
)page";

}  // namespace lockwarden
