/* Tables that sort, variants of which one is shown, copying; then everything is put in place. */
document.querySelectorAll('table[data-sortable]').forEach(table => {
  const headers = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const order = [...body.rows];
  headers.forEach((header, column) => header.querySelector('button').addEventListener('click', () => {
    const now = header.getAttribute('aria-sort');
    const next = column === 0 ? {ascending: 'descending', descending: null} : {descending: null, ascending: 'descending'};
    const direction = now ? next[now] : 'ascending';
    headers.forEach(other => other.removeAttribute('aria-sort'));
    if (direction) header.setAttribute('aria-sort', direction);
    const key = row => column === 0 ? row.cells[0].textContent : Number(row.cells[column].dataset.value);
    const compare = (a, b) => column === 0 ? a.localeCompare(b) : a - b;
    const rows = direction ? [...order].sort((a, b) => (direction === 'ascending' ? 1 : -1) * compare(key(a), key(b))) : order;
    body.append(...rows);
  }));
});

document.querySelectorAll('.variants').forEach(box => {
  const variants = [...box.querySelectorAll('.variant')];
  if (variants.length < 2) { box.querySelectorAll('.variant-name').forEach(name => name.remove()); return; }
  const show = chosen => variants.forEach((variant, index) => { variant.hidden = index !== chosen; });
  box.querySelectorAll('.variant-name').forEach(name => { name.hidden = true; });
  box.prepend(element('div', {class: 'controls'}, choice(box.dataset.label, variants.map(variant => variant.dataset.variant), 0, show)));
  show(0);
  addEventListener('beforeprint', () => { variants.forEach(variant => { variant.hidden = false; }); box.querySelectorAll('.variant-name').forEach(name => { name.hidden = false; }); });
});

document.querySelectorAll('details pre').forEach(block => {
  const button = element('button', {
    type: 'button', class: 'plain copy', onclick: () => {
      const done = () => { button.textContent = 'Copied'; setTimeout(() => { button.textContent = 'Copy'; }, 1500); };
      if (navigator.clipboard) navigator.clipboard.writeText(block.textContent).then(done, () => {});
      else { getSelection().selectAllChildren(block); if (document.execCommand('copy')) done(); }
    }
  }, 'Copy');
  block.parentElement.append(button);
});

/* What is wider than its place shows at which edge it goes on; tables can be reached and moved by the keyboard. */
document.querySelectorAll('.scroll').forEach(box => box.after(element('p', {class: 'sideways', 'aria-hidden': 'true'}, '\u2190 the table goes on sideways \u2192')));
const scrolling = [...document.querySelectorAll('.scroll, .bar nav, .runs')];
function markEdges(box) {
  const rest = box.scrollWidth - box.clientWidth;
  const more = [box.scrollLeft > 1 && 'left', box.scrollLeft < rest - 1 && 'right'].filter(Boolean).join(' ');
  if (more) box.dataset.more = more;
  else delete box.dataset.more;
  if (box.classList.contains('scroll')) { if (rest > 1) box.tabIndex = 0; else box.removeAttribute('tabindex'); }
}
const edges = new ResizeObserver(entries => entries.forEach(entry => markEdges(entry.target)));
scrolling.forEach(box => { box.addEventListener('scroll', () => markEdges(box), {passive: true}); edges.observe(box); });

document.querySelectorAll('figure[data-chart]').forEach(figure => mounts[figure.dataset.chart](figure));
