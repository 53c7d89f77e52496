/* Accuracy over inference time: a point with its interval for each run. */

/* Where a label hits nothing that is `taken`, boxes [left, top, right, bottom]; its own box is added to them. Among many points
 * it may be `far`, below or above the others, at the end of a line to its point. */
function labelPlace(text, {px, py, radius}, [leftEdge, topEdge, width, bottomEdge], taken) {
  const size = text.length * 6.6, gap = radius + 6;
  const places = [
    {x: px + gap, y: py + 4, anchor: 'start', left: px + gap}, {x: px - gap, y: py + 4, anchor: 'end', left: px - gap - size},
    {x: px + 6, y: py - gap, anchor: 'start', left: px + 6}, {x: px + 6, y: py + gap + 8, anchor: 'start', left: px + 6},
    {x: px - 6, y: py - gap, anchor: 'end', left: px - 6 - size}, {x: px - 6, y: py + gap + 8, anchor: 'end', left: px - 6 - size}];
  const far = y => places.push({x: px + 6, y, anchor: 'start', left: px + 6, far: true}, {x: px - 6, y, anchor: 'end', left: px - 6 - size, far: true});
  for (let y = py + gap + 22; y < bottomEdge; y += 14)
    far(y);
  for (let y = py - gap - 14; y > topEdge; y -= 14)
    far(y);
  const boxOf = place => [place.left, place.y - 11, place.left + size, place.y + 3];
  const free = place => {
    const [left, top, right, bottom] = boxOf(place);
    return left >= leftEdge && right <= width && bottom <= bottomEdge && taken.every(other => right < other[0] || left > other[2] || bottom < other[1] || top > other[3]);
  };
  const place = places.find(free) || places[px < width * 0.7 ? 0 : 1];
  taken.push(boxOf(place));
  return place;
}

mounts.tradeoff = figure => {
  const points = data.tradeoff.map((point, run) => ({...point, run})).filter(point => point.time > 0 && point.accuracy !== null);
  if (points.length < 2) { figure.remove(); return; }
  const box = element('div', {class: 'plot'});
  const space = 'http://www.w3.org/2000/svg';
  const shape = (tag, attributes, text) => {
    const made = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const times = points.map(point => point.time), unit = unitFor(Math.max(...times), timeUnits);
  const log = Math.max(...times) > 3 * Math.min(...times);
  const xScale = log ? logScale(...unit) : linearScale(...unit);
  const heaviest = Math.max(...points.map(point => point.bytes || 0));
  const draw = () => {
    const width = Math.max(280, box.clientWidth), narrow = width < 500; /* fewer labels side by side, more below each other */
    const height = Math.round(Math.min(380, Math.max(narrow ? 340 : 260, width * 0.36)));
    const margin = {left: 52, right: 24, top: 22, bottom: 40};
    const xs = times.map(xScale.forward), lows = points.map(point => point.low ?? point.accuracy), highs = points.map(point => point.high ?? point.accuracy);
    const xPad = (Math.max(...xs) - Math.min(...xs)) * 0.12 || 0.5, yPad = (Math.max(...highs) - Math.min(...lows)) * 0.18 || 0.01;
    const xRange = [Math.min(...xs) - xPad, Math.max(...xs) + xPad], yRange = [Math.min(...lows) - yPad, Math.min(1, Math.max(...highs) + yPad)];
    const x = value => margin.left + (value - xRange[0]) / (xRange[1] - xRange[0]) * (width - margin.left - margin.right);
    const y = value => height - margin.bottom - (value - yRange[0]) / (yRange[1] - yRange[0]) * (height - margin.top - margin.bottom);
    const svg = shape('svg', {class: 'tradeoff', viewBox: '0 0 ' + width + ' ' + height, role: 'img', 'aria-label': 'Accuracy over inference time'});
    const line = style('--line'), soft = style('--soft');
    linearTicks(...yRange, 5).forEach(tick => {
      svg.append(shape('line', {x1: margin.left, x2: width - margin.right, y1: y(tick), y2: y(tick), stroke: line}),
        shape('text', {x: margin.left - 8, y: y(tick) + 4, 'text-anchor': 'end', fill: soft}, formatTick(tick)));
    });
    xScale.ticks(...xRange, width / 110).forEach(tick => {
      svg.append(shape('line', {x1: x(tick), x2: x(tick), y1: margin.top, y2: height - margin.bottom, stroke: line}),
        shape('text', {x: x(tick), y: height - margin.bottom + 18, 'text-anchor': 'middle', fill: soft}, xScale.tick(tick)));
    });
    svg.append(shape('text', {x: 0, y: 12, fill: soft}, 'Accuracy'),
      shape('text', {x: width - margin.right, y: height - 4, 'text-anchor': 'end', fill: soft}, 'Median inference time per sample [' + unit[1] + ']'));
    const shown = points.filter(point => !hidden.has(point.run)).map(point => ({
      ...point, px: x(xScale.forward(point.time)), py: y(point.accuracy),
      radius: point.bytes && heaviest ? Math.max(5, (narrow ? 12 : 20) * Math.sqrt(point.bytes / heaviest)) : 7
    }));
    const taken = shown.map(({px, py, radius}) => [px - radius, py - radius, px + radius, py + radius]);
    const labels = shape('g', {}); /* above all points */
    shown.forEach(point => {
      const {px, py, radius} = point, color = runColor(point.run);
      const group = shape('g', {});
      if (point.low !== null) group.append(shape('line', {x1: px, x2: px, y1: y(point.low), y2: y(point.high), stroke: color, 'stroke-width': 2}));
      group.append(shape('circle', {cx: px, cy: py, r: radius, fill: color, 'fill-opacity': 0.25, stroke: color, 'stroke-width': 1.5}), shape('circle', {cx: px, cy: py, r: 3, fill: color}));
      const label = labelPlace(data.runs[point.run], point, [margin.left, margin.top, width, height - margin.bottom], taken);
      if (label.far) group.append(shape('line', {x1: px, x2: px, y1: py, y2: label.y, stroke: color, 'stroke-width': 1, 'stroke-dasharray': '2 2'}));
      labels.append(shape('text', {x: label.x, y: label.y, 'text-anchor': label.anchor, fill: style('--ink'), stroke: style('--bg'), 'stroke-width': 3,
        'stroke-linejoin': 'round', 'paint-order': 'stroke'}, data.runs[point.run]));
      group.append(shape('title', {}, data.runs[point.run] + '\n' + formatSeconds(point.time) + '\naccuracy ' + point.accuracy.toFixed(4)
        + (point.low !== null ? ' (' + point.low.toFixed(4) + ' \u2013 ' + point.high.toFixed(4) + ')' : '') + (point.bytes ? '\n' + formatBytes(point.bytes) : '')));
      svg.append(group);
    });
    svg.append(labels);
    box.replaceChildren(svg);
  };
  figure.prepend(box);
  redraws.push(draw);
  draw();
  let width = box.clientWidth;
  new ResizeObserver(() => { if (Math.abs(box.clientWidth - width) > 1) { width = box.clientWidth; draw(); } }).observe(box);
};
