/* Confusion matrices: one canvas for each run, all under one pointer. */
const matrixModes = ['Share of the true class', 'Errors only', 'Change'];

/* {classes, cells: Float64Array row by row, sums of rows} */
function unpackMatrix(packed) {
  const classes = packed.classes || data.matrices[0].classes, count = classes.length;
  const cells = new Float64Array(count * count);
  packed.rows.forEach((row, i) => { for (let k = 0; k < row.length; k += 2) cells[i * count + row[k]] = row[k + 1]; });
  const sums = classes.map((name, i) => cells.subarray(i * count, (i + 1) * count).reduce((a, b) => a + b, 0));
  return {classes, count, cells, sums};
}

/* What a mode shows of a cell, from -1 to 1; 0 is nothing. */
function matrixShade(matrix, reference, mode, row, column) {
  const at = row * matrix.count + column, share = matrix.sums[row] ? matrix.cells[at] / matrix.sums[row] : 0;
  if (mode === 0) return share;
  if (mode === 1) return row === column ? 0 : share;
  return share - (reference.sums[row] ? reference.cells[at] / reference.sums[row] : 0);
}

/* The largest shade among the matrices, so that they share one scale. */
function matrixPeak(matrices, reference, mode) {
  if (mode === 0) return 1;
  let peak = 0;
  matrices.forEach(matrix => {
    for (let row = 0; row < matrix.count; row++)
      for (let column = 0; column < matrix.count; column++)
        peak = Math.max(peak, Math.abs(matrixShade(matrix, reference, mode, row, column)));
  });
  return peak || 1;
}

function shorten(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(text.slice(0, end) + '\u2026').width > room) end--;
  return text.slice(0, end) + '\u2026';
}

function matrixLayout(matrix, width, context) {
  const longest = Math.max(...matrix.classes.map(name => context.measureText(name).width));
  const margin = Math.min(longest + 8, width * 0.3);
  const labelled = (width - margin) / matrix.count >= 9;
  const left = labelled ? margin : 16;
  const cell = (width - left) / matrix.count;
  return {left, cell, labelled, top: labelled ? Math.min(longest + 8, 110) : 16, width};
}

function drawMatrix(view, reference, mode, peak, hover) {
  const {matrix, canvas} = view, context = canvas.getContext('2d');
  const width = canvas.parentElement.clientWidth, ratio = devicePixelRatio || 1;
  const fontSize = Math.max(8, Math.min(12, (width * 0.7) / matrix.count * 0.8));
  context.font = fontSize + 'px system-ui, sans-serif';
  const layout = view.layout = matrixLayout(matrix, width, context);
  const height = layout.top + layout.cell * matrix.count;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = height + 'px';
  context.scale(ratio, ratio);
  const heat = style('--heat'), gain = style('--gain'), loss = style('--loss'), line = style('--line'), ink = style('--ink'), soft = style('--soft');
  const dark = root.dataset.theme === 'dark', base = style('--raised');
  context.fillStyle = base;
  context.fillRect(layout.left, layout.top, layout.cell * matrix.count, layout.cell * matrix.count);
  const gap = layout.cell > 6 ? 1 : 0;
  const numbers = layout.cell >= 24;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (let row = 0; row < matrix.count; row++) {
    for (let column = 0; column < matrix.count; column++) {
      const shade = matrixShade(matrix, reference, mode, row, column), strength = Math.sqrt(Math.abs(shade) / peak);
      const x = layout.left + column * layout.cell, y = layout.top + row * layout.cell;
      if (shade) {
        context.fillStyle = 'rgb(' + (mode === 2 ? (shade > 0 ? gain : loss) : heat) + ' / ' + strength.toFixed(3) + ')';
        context.fillRect(x, y, layout.cell - gap, layout.cell - gap);
      }
      const count = matrix.cells[row * matrix.count + column];
      const shown = mode === 2 ? count - reference.cells[row * matrix.count + column] : mode === 1 && row === column ? 0 : count;
      if (!numbers || !shown) continue;
      const text = (mode === 2 && shown > 0 ? '+' : '') + formatCount(shown).replace('-', '\u2212');
      context.font = Math.min(12, layout.cell * 0.36) + 'px system-ui, sans-serif';
      context.fillStyle = strength > 0.62 ? (dark ? '#0b1117' : '#ffffff') : ink;
      context.fillText(text, x + layout.cell / 2, y + layout.cell / 2 + 0.5, layout.cell - 3);
    }
  }
  context.strokeStyle = line;
  context.strokeRect(layout.left, layout.top, layout.cell * matrix.count - gap, layout.cell * matrix.count - gap);
  drawMatrixLabels(context, view, fontSize, hover, ink, soft);
  if (hover) {
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.strokeRect(layout.left + hover.column * layout.cell, layout.top + hover.row * layout.cell, layout.cell - gap, layout.cell - gap);
  }
}

function drawMatrixLabels(context, view, fontSize, hover, ink, soft) {
  const {matrix, layout} = view;
  context.font = fontSize + 'px system-ui, sans-serif';
  if (!layout.labelled) {
    context.fillStyle = soft;
    context.textAlign = 'left';
    context.textBaseline = 'top';
    context.fillText('Predicted \u2192', layout.left, 1);
    context.save();
    context.translate(1, layout.top);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'right';
    context.fillText('\u2190 True', 0, 0);
    context.restore();
    return;
  }
  context.textBaseline = 'middle';
  matrix.classes.forEach((name, i) => {
    const middle = i * layout.cell + layout.cell / 2;
    context.fillStyle = hover && hover.row === i ? ink : soft;
    context.textAlign = 'right';
    context.fillText(shorten(context, name, layout.left - 6), layout.left - 5, layout.top + middle);
    context.fillStyle = hover && hover.column === i ? ink : soft;
    context.save();
    context.translate(layout.left + middle, layout.top - 5);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'left';
    context.fillText(shorten(context, name, layout.top - 6), 0, 0);
    context.restore();
  });
}

function matrixReadout(views, hover) {
  if (!hover) return 'Point at a cell.';
  const names = hover.matrix.classes;
  const parts = views.filter(view => !hidden.has(view.run) && view.matrix.count === hover.matrix.count).map(view => {
    const count = view.matrix.cells[hover.row * view.matrix.count + hover.column], sum = view.matrix.sums[hover.row];
    return (views.length > 1 ? data.runs[view.run] + ' ' : '') + formatCount(count) + ' of ' + formatCount(sum) + (sum ? ' (' + formatShare(count / sum) + ')' : '');
  });
  const what = hover.row === hover.column ? names[hover.row] + ' recognized: ' : names[hover.row] + ' taken for ' + names[hover.column] + ': ';
  return what + parts.join(' \u00b7 ');
}

mounts.matrices = figure => {
  const views = data.matrices.map((packed, run) => packed && {run, matrix: unpackMatrix(packed)}).filter(Boolean);
  const compare = data.sameClasses && views.length > 1;
  const grid = element('div', {class: views.length > 1 ? 'matrices' : 'matrices one'});
  const readout = element('p', {class: 'readout', 'aria-live': 'polite'}, matrixReadout(views, null));
  const scale = element('span', {class: 'scale'});
  let mode = 0, hover = null;
  const draw = () => {
    const reference = views[0].matrix;
    const shown = views.filter(view => !hidden.has(view.run) && !(mode === 2 && view.run === views[0].run));
    const peak = matrixPeak(shown.map(view => view.matrix), reference, mode);
    views.forEach(view => { view.box.hidden = !shown.includes(view); });
    shown.forEach(view => drawMatrix(view, reference, mode, peak, hover));
    const ends = mode === 2 ? ['\u2212' + formatShare(peak), '+' + formatShare(peak)] : ['0', formatShare(peak)];
    const stops = mode === 2 ? 'rgb(' + style('--loss') + '), ' + style('--raised') + ', rgb(' + style('--gain') + ')'
      : style('--raised') + ', rgb(' + style('--heat') + ' / .5) 25%, rgb(' + style('--heat') + ')';
    scale.replaceChildren(ends[0], element('i', {style: 'background: linear-gradient(to right, ' + stops + ')'}), ends[1]);
  };
  views.forEach(view => {
    view.canvas = element('canvas', {role: 'img', 'aria-label': 'Confusion matrix of ' + data.runs[view.run]});
    view.box = element('div', {class: 'matrix'});
    if (views.length > 1) view.box.append(element('h4', {}, runDot(view.run), ' ', data.runs[view.run]));
    view.box.append(element('div', {}, view.canvas));
    grid.append(view.box);
    const point = event => {
      const box = view.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - view.layout.left) / view.layout.cell);
      const row = Math.floor((event.clientY - box.top - view.layout.top) / view.layout.cell);
      const inside = row >= 0 && column >= 0 && row < view.matrix.count && column < view.matrix.count;
      if (inside ? hover && hover.row === row && hover.column === column : !hover) return;
      hover = inside ? {row, column, matrix: view.matrix} : null;
      readout.textContent = matrixReadout(views, hover);
      draw();
    };
    view.canvas.addEventListener('pointermove', point);
    view.canvas.addEventListener('pointerdown', point);
    view.canvas.addEventListener('pointerleave', event => { if (event.pointerType === 'mouse') { hover = null; draw(); readout.textContent = matrixReadout(views, null); } });
  });
  const names = compare ? [...matrixModes.slice(0, 2), 'Change against ' + data.runs[0]] : matrixModes.slice(0, 2);
  figure.prepend(element('div', {class: 'controls'}, choice('Show', names, 0, chosen => { mode = chosen; draw(); }), scale), readout, grid);
  redraws.push(draw);
  draw();
  let width = grid.clientWidth;
  new ResizeObserver(() => { if (Math.abs(grid.clientWidth - width) > 1) { width = grid.clientWidth; draw(); } }).observe(grid);
};
