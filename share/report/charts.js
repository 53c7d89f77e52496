/* Line charts: inference time, memory, CPU. */

/* A scale turns values into what the chart draws: in a unit, or their logarithm. */
const linearScale = (size, name) => ({
  name, forward: value => value / size, tick: value => formatTick(value),
  ticks: (low, high, count) => linearTicks(low, high, count), backward: value => value * size
});
const logScale = (size, name) => ({
  name, forward: value => value > 0 ? Math.log10(value / size) : null, tick: value => formatTick(10 ** value),
  ticks: (low, high, count) => logTicks(low, high, count).map(Math.log10), backward: value => 10 ** value * size
});

/* Index of the number nearest to `value` in an ascending list. */
function nearest(list, value) {
  let low = 0, high = list.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle;
    else high = middle;
  }
  return Math.abs(list[low] - value) <= Math.abs(list[high] - value) ? low : high;
}

function placeTip(tip, box, x, y) {
  tip.style.left = tip.style.top = '0px';
  const width = tip.offsetWidth, height = tip.offsetHeight;
  const left = x + 16 + width > box.clientWidth ? Math.max(0, x - 16 - width) : x + 16;
  tip.style.left = left + 'px';
  tip.style.top = Math.max(0, Math.min(y - height / 2, box.clientHeight - height)) + 'px';
}

const tipRow = (run, name, value) => element('div', {}, runDot(run),
  element('span', {class: 'name'}, name), element('span', {}, value));

/* What the pointer stands on: one row for each series that wants one, read from the series' own points. */
function tipPlugin(box, spec) {
  const tip = element('div', {class: 'tip', hidden: ''});
  box.append(tip);
  return {
    hooks: {
      setCursor: chart => {
        const {left, top} = chart.cursor;
        if (left < 0) { tip.hidden = true; return; }
        const x = chart.posToVal(left, 'x');
        const shown = spec.series.filter(series => series.tip && !hidden.has(series.run) && series.x.length);
        if (!shown.length) { tip.hidden = true; return; }
        tip.replaceChildren(element('b', {}, spec.title(shown[0].x[nearest(shown[0].x, x)], x)));
        shown.forEach(series => {
          const index = nearest(series.x, x);
          const inside = x >= series.x[0] && x <= series.x[series.x.length - 1];
          if (inside && series.y[index] !== null) tip.append(tipRow(series.run, data.runs[series.run], series.tip(index)));
        });
        tip.hidden = false;
        placeTip(tip, box, left + chart.over.offsetLeft, top + chart.over.offsetTop);
      }
    }
  };
}

/* Two fingers spread or narrow the x axis. */
function pinchPlugin() {
  let start = null;
  const spread = touches => Math.max(20, Math.abs(touches[0].clientX - touches[1].clientX));
  return {
    hooks: {
      ready: chart => {
        const over = chart.over;
        over.addEventListener('touchstart', event => {
          if (event.touches.length !== 2) return;
          const middle = (event.touches[0].clientX + event.touches[1].clientX) / 2 - over.getBoundingClientRect().left;
          start = {spread: spread(event.touches), center: chart.posToVal(middle, 'x'), min: chart.scales.x.min, max: chart.scales.x.max};
          event.preventDefault();
        }, {passive: false});
        over.addEventListener('touchmove', event => {
          if (!start || event.touches.length !== 2) return;
          event.preventDefault();
          const factor = start.spread / spread(event.touches);
          chart.setScale('x', {
            min: Math.max(chart.full[0], start.center - (start.center - start.min) * factor),
            max: Math.min(chart.full[1], start.center + (start.max - start.center) * factor)
          });
        }, {passive: false});
        over.addEventListener('touchend', () => { start = null; });
      }
    }
  };
}

function seriesOptions(series) {
  const color = runColor(series.run);
  const options = {label: data.runs[series.run], stroke: color, width: 1.75, spanGaps: true, points: {show: false}, show: !hidden.has(series.run)};
  if (runSign(series.run)) options.dash = runDash(series.run);
  if (series.kind === 'dots')
    return {...options, width: 0, paths: () => null, points: {show: true, size: 3, width: 0, fill: color + '66', stroke: color + '66'}};
  /* A run that was over before the second sample has no line to draw. */
  if (series.x.length === 1) return {...options, points: {show: true, size: 8, width: 0, fill: color, stroke: color}};
  if (series.kind === 'area') return {...options, width: 1.25, fill: color + '38', paths: uPlot.paths.stepped({align: 1})};
  return options;
}

function axisOptions(scale, compact, space) {
  return {
    stroke: style('--soft'), font: '12px system-ui, sans-serif', space, gap: 6,
    size: (chart, labels) => Math.max(compact ? 44 : 56, ...(labels || []).map(label => 7 * label.length + 12)), /* 12px: none is cut */
    grid: {stroke: style('--line'), width: 1}, ticks: {show: false},
    splits: (chart, axis, low, high) => scale.ticks(low, high, Math.max(2, Math.round(chart.bbox[axis ? 'height' : 'width'] / devicePixelRatio / space))),
    values: (chart, splits) => splits.map(scale.tick)
  };
}

/* Draws `spec` into `box`: {xScale, yScale, yName, xName, yFloor, title, series: [{run, kind, x, y, tip}]}. */
function drawChart(box, spec, onZoom) {
  const width = Math.max(240, box.clientWidth), compact = width < 560;
  const tables = spec.series.map(series => [series.x.map(spec.xScale.forward), series.y.map(spec.yScale.forward)]);
  const joined = uPlot.join(tables);
  /* From here on the points are in the chart's units. */
  const drawn = {...spec, series: spec.series.map((series, i) => ({...series, x: tables[i][0], y: tables[i][1]}))};
  const xs = joined[0], full = [xs[0], xs[xs.length - 1]];
  if (full[0] === full[1]) { full[0] -= 0.5; full[1] += 0.5; }
  const padded = (low, high) => {
    if (low === null || low === undefined) return [0, 1];
    const pad = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.5;
    return [spec.yFloor === 0 ? 0 : low - pad, spec.yCeiling || high + pad];
  };
  const chart = new uPlot({
    width, height: Math.round(Math.min(400, Math.max(240, width * 0.42))),
    legend: {show: false},
    cursor: {drag: {x: true, y: false}, points: {show: false}, y: false},
    scales: {x: {time: false, range: (self, low, high) => low === high || low === null ? full : [low, high]}, y: {range: (self, low, high) => padded(low, high)}},
    axes: [{...axisOptions(spec.xScale, compact, compact ? 62 : 84), size: 30}, axisOptions(spec.yScale, compact, 44)],
    series: [{}, ...spec.series.map(seriesOptions)],
    hooks: {setScale: [(self, key) => { if (key === 'x') onZoom(self.scales.x.min > full[0] || self.scales.x.max < full[1]); }]},
    plugins: [tipPlugin(box, drawn), pinchPlugin()]
  }, joined, box);
  chart.full = full;
  chart.reset = () => chart.setScale('x', {min: full[0], max: full[1]});
  return chart;
}

/* A figure with a chart: `specOf(state)` gives what to draw, `choices` the rows of buttons that change the state, shown
 * where they apply. */
function mountChart(figure, choices, specOf) {
  const state = choices.map(option => option.start || 0);
  const controls = element('div', {class: 'controls'});
  const yName = element('div', {class: 'axis-name'}), xName = element('div', {class: 'axis-name x'}), box = element('div', {class: 'plot'});
  const reset = element('button', {type: 'button', class: 'plain', hidden: '', onclick: () => chart.reset()}, 'Show all');
  let chart = null, width = 0;
  const draw = () => {
    if (chart) chart.destroy();
    box.replaceChildren();
    const spec = specOf(state);
    yName.textContent = spec.yName;
    xName.textContent = spec.xName;
    reset.hidden = true;
    choices.forEach((option, index) => { if (option.group) option.group.hidden = option.applies && !option.applies(state); });
    width = box.clientWidth;
    chart = drawChart(box, spec, zoomed => { reset.hidden = !zoomed; });
  };
  choices.forEach((option, index) => {
    if (option.names.length < 2) return;
    option.group = choice(option.label, option.names, state[index], chosen => { state[index] = chosen; draw(); });
    controls.append(option.group);
  });
  controls.append(reset);
  figure.prepend(controls, yName, box, xName);
  redraws.push(draw);
  draw();
  new ResizeObserver(() => { if (Math.abs(box.clientWidth - width) > 1) draw(); }).observe(box);
}

/* ---- inference time ---- */

function mountTimes(figure) {
  const runs = data.runs.map((name, run) => run).filter(run => data.trends[run]);
  const medians = runs.map(run => data.trends[run].y[data.trends[run].y.length >> 1]);
  const slowest = Math.max(...medians), peak = Math.max(...runs.map(run => Math.max(...data.times[run].y)));
  const unit = unitFor(slowest, timeUnits);
  const wide = peak > 8 * Math.min(...medians);
  const edges = data.distribution ? data.distribution.edges : [];

  const overSamples = log => ({
    xName: 'Inference', yName: 'Inference time [' + unit[1] + ']', xScale: linearScale(1, ''), yScale: log ? logScale(...unit) : linearScale(...unit),
    yFloor: log ? undefined : 0, title: x => 'Inference ' + formatCount(Math.round(x)),
    series: runs.flatMap(run => [
      {run, kind: 'dots', x: data.times[run].x, y: data.times[run].y, tip: index => formatSeconds(data.times[run].y[index])},
      {run, kind: 'line', x: data.trends[run].x, y: data.trends[run].y}])
  });
  const histogram = () => {
    const xScale = logScale(...unit);
    return {
      xName: 'Inference time [' + unit[1] + ']', yName: 'Share of the inferences [%]', xScale, yScale: linearScale(0.01, ''), yFloor: 0,
      title: (x, pointer) => 'About ' + formatSeconds(xScale.backward(pointer)),
      series: runs.map(run => {
        const shares = data.distribution.shares[run];
        return {run, kind: 'area', x: edges, y: [...shares, 0], tip: index => formatShare(shares[Math.min(index, shares.length - 1)])};
      })
    };
  };
  const cumulative = () => {
    const xScale = logScale(...unit);
    return {
      xName: 'Inference time [' + unit[1] + ']', yName: 'Inferences that took at most this long [%]', xScale, yScale: linearScale(0.01, ''),
      yFloor: 0, yCeiling: 100, title: (x, pointer) => 'At most ' + formatSeconds(xScale.backward(pointer)),
      series: runs.map(run => ({run, kind: 'line', x: edges, y: data.distribution.cumulative[run], tip: index => formatShare(data.distribution.cumulative[run][index])}))
    };
  };
  mountChart(figure, [{label: 'View', names: edges.length ? ['Over the run', 'Histogram', 'Cumulative'] : ['Over the run']},
    {label: 'Time axis', names: ['Linear', 'Logarithmic'], start: wide ? 1 : 0, applies: state => state[0] === 0}],
  state => state[0] === 1 ? histogram() : state[0] === 2 ? cumulative() : overSamples(state[1] === 1));
}

/* ---- use of the machine ---- */

/* `sources`: [{name, lines, scale, unitName, format}], those that the runs know. */
function mountUsage(figure, yName, sources) {
  const known = sources.filter(source => source.lines);
  if (!known.length) { figure.remove(); return; }
  mountChart(figure, [{label: 'Of', names: known.map(source => source.name)}], state => {
    const source = known[state[0]];
    const runs = data.runs.map((name, run) => run).filter(run => source.lines[run]);
    return {
      xName: 'Time [s]', yName: yName + ' ' + source.of + ' [' + source.unit + ']', xScale: linearScale(1, ''), yScale: linearScale(source.size, ''), yFloor: 0,
      title: x => 'At ' + formatSeconds(x),
      series: runs.map(run => ({run, kind: 'line', x: source.lines[run].x, y: source.lines[run].y, tip: index => source.format(source.lines[run].y[index])}))
    };
  });
}

const mounts = {
  time: figure => mountTimes(figure),
  memory: figure => mountUsage(figure, 'Memory', [
    {name: 'This process', of: 'of the process', lines: data.processMemory, size: 1e6, unit: 'MB', format: formatBytes},
    {name: 'Whole machine', of: 'of the machine in use', lines: data.memory, size: 1, unit: '%', format: formatPercent}]),
  cpu: figure => mountUsage(figure, 'CPU usage', [
    {name: 'This process', of: 'of the process, 100 % is one core', lines: data.processCpu, size: 1, unit: '%', format: formatPercent},
    {name: 'Whole machine', of: 'of the machine, mean of all cores', lines: data.cpu, size: 1, unit: '%', format: formatPercent}])
};
