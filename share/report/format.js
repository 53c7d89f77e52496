/* Numbers under the pointer and at the axes, written as the tables write theirs. */
function significant(value, digits) {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Math.max(0, Math.min(12, digits - 1 - magnitude)),
    maximumFractionDigits: Math.max(0, Math.min(12, digits - 1 - magnitude))
  });
}
const scaled = (value, units) => {
  const unit = [...units].reverse().find(([size]) => Math.abs(value) >= size * 0.99995) || units[0];
  return significant(value / unit[0], 4) + ' ' + unit[1];
};
const timeUnits = [[1e-9, 'ns'], [1e-6, '\u00b5s'], [1e-3, 'ms'], [1, 's']];
const byteUnits = [[1, 'B'], [1e3, 'kB'], [1e6, 'MB'], [1e9, 'GB'], [1e12, 'TB']];
const formatSeconds = value => scaled(value, timeUnits);
const formatBytes = value => scaled(value, byteUnits);
const formatCount = value => value.toLocaleString('en-US');
const formatPercent = value => significant(value, 3) + ' %';
const formatShare = value => formatPercent(value * 100);

/* The unit in which `value` has one to three digits before the point: [size, name]. */
const unitFor = (value, units) => [...units].reverse().find(([size]) => value >= size) || units[0];
/* A tick, without digits that say nothing. */
const formatTick = value => Number(value.toPrecision(6)).toLocaleString('en-US', {maximumFractionDigits: 12});

/* Steps of 1, 2 or 5 times a power of ten, about `count` of them between two values. */
function linearTicks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(factor => factor * power >= rough) * power;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
  return ticks;
}

/* Ticks of a logarithmic axis whose ends are given as logarithms; values, not logarithms. */
function logTicks(low, high, count) {
  if (high - low < 0.5) return linearTicks(10 ** low, 10 ** high, count);
  const within = factors => {
    const ticks = [];
    for (let power = Math.floor(low); power <= Math.ceil(high); power++)
      factors.forEach(factor => {
        const logarithm = Math.log10(factor) + power;
        if (logarithm >= low && logarithm <= high) ticks.push(factor * 10 ** power);
      });
    return ticks;
  };
  const sets = [[1, 1.5, 2, 3, 4, 5, 7], [1, 2, 5], [1, 3], [1]].map(within);
  return sets.find(ticks => ticks.length <= count * 1.3) || sets[sets.length - 1];
}
