"""The page's only script: values under the pointer. Without it everything is still there to read."""

SCRIPT = r"""
(() => {
  const thin = '\u202f', minus = s => s.replace('-', '\u2212');
  const digits = (v, n) => minus(v.toLocaleString('en', {minimumFractionDigits: n, maximumFractionDigits: n}));
  const write = {
    percent: v => digits(v * 100, 2) + thin + '%',
    growth: v => digits(v, 3) + '\u00d7',
    number: v => minus(v.toLocaleString('en', {maximumSignificantDigits: 6})),
  };
  const el = (tag, css, text) => Object.assign(
    document.createElement(tag), {className: css || '', textContent: text || ''});
  const near = (list, x) => {
    let a = 0, b = list.length - 1;
    while (a < b) { const m = (a + b + 1) >> 1; if (list[m] <= x) a = m; else b = m - 1; }
    return a + 1 < list.length && list[a + 1] - x < x - list[a] ? a + 1 : a;
  };
  for (const plot of document.querySelectorAll('.plot')) {
    const source = plot.querySelector('script');
    if (!source) continue;
    const canvas = plot.querySelector('.canvas'), told = JSON.parse(source.textContent);
    const hair = el('div', 'hair'), tip = el('div', 'tip');
    canvas.append(hair, tip);
    const hide = () => plot.classList.remove('on');
    const show = event => {
      const box = canvas.getBoundingClientRect(), span = told.t1 - told.t0 || 1;
      const share = (event.clientX - box.left) / box.width;
      if (share < -0.01 || share > 1.01) return hide();
      const at = near(told.t, share * span), left = told.t[at] / span;
      const when = new Date((told.t0 + told.t[at]) * 1000).toISOString().slice(0, 16).replace('T', ' ');
      tip.replaceChildren(el('time', '', when));
      for (const line of told.lines) {
        const row = el('div'), v = line.v[at];
        row.append(el('i', line.c), el('span', '', line.n), el('b', '', v === null ? '\u2013' : write[line.s](v)));
        tip.append(row);
      }
      hair.style.left = left * 100 + '%';
      tip.style.left = Math.min(Math.max(left * box.width + 12, 0), box.width) + 'px';
      tip.classList.toggle('flip', left > 0.6);
      plot.classList.add('on');
    };
    canvas.addEventListener('pointermove', show);
    canvas.addEventListener('pointerdown', show);
    canvas.addEventListener('pointerleave', hide);
  }
})();
"""
