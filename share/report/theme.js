/* The data behind the plots, the theme, and which runs are shown. */
const root = document.documentElement;
const data = JSON.parse(document.getElementById('kenning-data').textContent);
const runColors = 7;
const hidden = new Set();
const redraws = [];

const style = name => getComputedStyle(root).getPropertyValue(name).trim();
const runColor = run => style('--run-' + run % runColors);
const redraw = () => redraws.forEach(draw => draw());

/* Colours come round again: then lines are dashed otherwise, and signs are others (as html_tables.c writes them). */
const runSign = run => Math.floor(run / runColors) % 3;
const runDash = run => [[], [6, 4], [2, 3]][runSign(run)];

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'onclick') made.addEventListener('click', value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const runDot = run => element('i', {class: 'dot', 'data-sign': runSign(run), style: '--c:var(--run-' + run % runColors + ')'});

/* A row of buttons of which one is pressed; calls `chosen` with the index. */
function choice(label, names, start, chosen) {
  const group = element('span', {class: 'choice', role: 'group', 'aria-label': label});
  names.forEach((name, index) => {
    group.append(element('button', {
      type: 'button', 'aria-pressed': index === start, onclick: () => {
        [...group.children].forEach((button, i) => button.setAttribute('aria-pressed', i === index));
        chosen(index);
      }
    }, name));
  });
  return group;
}

/* The user's choice beats the system's; a page opened from a file may have nowhere to keep it. */
const remembered = {
  get() { try { return localStorage.getItem('kenning-theme'); } catch (error) { return null; } },
  set(theme) { try { localStorage.setItem('kenning-theme', theme); } catch (error) { /* not kept */ } }
};
const systemDark = matchMedia('(prefers-color-scheme: dark)');
function setTheme(theme) {
  root.dataset.theme = theme;
  redraw();
}
setTheme(remembered.get() || (systemDark.matches ? 'dark' : 'light'));
systemDark.addEventListener('change', () => remembered.get() || setTheme(systemDark.matches ? 'dark' : 'light'));
const themeButton = document.getElementById('theme');
themeButton.hidden = false;
themeButton.addEventListener('click', () => {
  const theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
  remembered.set(theme);
  setTheme(theme);
});

/* Paper is white. */
let beforePrint = null;
addEventListener('beforeprint', () => {
  beforePrint = root.dataset.theme;
  document.querySelectorAll('details').forEach(details => { details.open = true; });
  setTheme('light');
});
addEventListener('afterprint', () => setTheme(beforePrint || 'light'));

document.querySelectorAll('.run-toggle').forEach(button => button.addEventListener('click', () => {
  const run = Number(button.dataset.run);
  if (hidden.has(run)) hidden.delete(run);
  else hidden.add(run);
  button.setAttribute('aria-pressed', !hidden.has(run));
  redraw();
}));

/* The section being read is marked in the bar. */
const links = new Map([...document.querySelectorAll('.bar nav a')].map(link => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver(entries => entries.forEach(entry => {
  if (!entry.isIntersecting) return;
  links.forEach(link => link.removeAttribute('aria-current'));
  const link = links.get(entry.target.id), nav = link.parentElement;
  link.setAttribute('aria-current', 'true');
  nav.scrollLeft = link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
}), {rootMargin: '-20% 0px -75% 0px'});
links.forEach((link, id) => watcher.observe(document.getElementById(id)));
