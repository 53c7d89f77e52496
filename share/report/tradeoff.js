/* Accuracy over inference time: a point with its interval for each run. */
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
    const width = Math.max(280, box.clientWidth), height = Math.round(Math.min(380, Math.max(260, width * 0.36)));
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
      shape('text', {x: width - margin.right, y: height - 4, 'text-anchor': 'end', fill: soft}, 'Median inference time [' + unit[1] + ']'));
    points.filter(point => !hidden.has(point.run)).forEach(point => {
      const color = runColor(point.run), px = x(xScale.forward(point.time)), py = y(point.accuracy);
      const radius = point.bytes && heaviest ? Math.max(5, 20 * Math.sqrt(point.bytes / heaviest)) : 7;
      const group = shape('g', {});
      if (point.low !== null) group.append(shape('line', {x1: px, x2: px, y1: y(point.low), y2: y(point.high), stroke: color, 'stroke-width': 2}));
      group.append(shape('circle', {cx: px, cy: py, r: radius, fill: color, 'fill-opacity': 0.25, stroke: color, 'stroke-width': 1.5}), shape('circle', {cx: px, cy: py, r: 3, fill: color}));
      const right = px < width * 0.7;
      group.append(shape('text', {x: px + (right ? radius + 6 : -radius - 6), y: py + 4, 'text-anchor': right ? 'start' : 'end', fill: style('--ink')}, data.runs[point.run]));
      group.append(shape('title', {}, data.runs[point.run] + '\n' + formatSeconds(point.time) + '\naccuracy ' + point.accuracy.toFixed(4)
        + (point.low !== null ? ' (' + point.low.toFixed(4) + ' \u2013 ' + point.high.toFixed(4) + ')' : '') + (point.bytes ? '\n' + formatBytes(point.bytes) : '')));
      svg.append(group);
    });
    box.replaceChildren(svg);
  };
  figure.prepend(box);
  redraws.push(draw);
  draw();
  let width = box.clientWidth;
  new ResizeObserver(() => { if (Math.abs(box.clientWidth - width) > 1) { width = box.clientWidth; draw(); } }).observe(box);
};
