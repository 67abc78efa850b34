// What a box says, below its picture: on hover, on tap, and with the arrow keys. Set up once, for all pictures.
(() => {
  if (window.selvedgeSays) return;
  window.selvedgeSays = true;
  const show = (svg, box, column) => {
    const columns = svg.dataset.columns ? JSON.parse(svg.dataset.columns) : [];
    svg.querySelectorAll('rect.shown').forEach(r => r.classList.remove('shown'));
    if (box) box.classList.add('shown');
    const lines = [];
    if (box) lines.push(box.querySelector('title').textContent);
    if (columns[column]) lines.push(columns[column]);
    if (lines.length) svg.closest('figure').querySelector('output').innerText = lines.join('\n');
  };
  const point = event => {
    const svg = event.target.closest && event.target.closest('.sv-plot svg');
    if (!svg || !svg.querySelector('rect')) return;
    const box = event.target.closest('rect');
    const frame = svg.getBoundingClientRect();
    const columns = svg.dataset.columns ? JSON.parse(svg.dataset.columns).length : 0;
    show(svg, box, Math.floor((event.clientX - frame.left) / frame.width * columns));
  };
  ['pointermove', 'pointerdown', 'click'].forEach(kind => document.addEventListener(kind, point));
  document.addEventListener('keydown', event => {
    const svg = document.activeElement && document.activeElement.closest('.sv-plot svg');
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!svg || !step) return;
    const boxes = [...svg.querySelectorAll('rect')];
    const at = boxes.findIndex(b => b.classList.contains('shown'));
    show(svg, boxes[(at + step + boxes.length) % boxes.length], -1);
    event.preventDefault();
  });
})();
