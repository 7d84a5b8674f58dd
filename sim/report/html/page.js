// The page's comfort: tooltips, arrow keys in the matrix, curves. Everything that they show is in the markup or
// in the data block "curves"; a page whose script does not run still reads.
'use strict';

(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

  // --- Tooltips: the title of a verdict, for the mouse and for the keyboard -------------------------------------

  const tip = byId('tip');

  const showTip = (link) => {
    tip.textContent = link.dataset.why;
    tip.hidden = false;
    const at = link.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const below = at.bottom + 6 + size.height < window.innerHeight;
    const left = Math.min(at.left, window.innerWidth - size.width - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - 6 - size.height)}px`;
  };
  const hideTip = () => { tip.hidden = true; };

  const giveTooltips = () => {
    for (const link of all('.verdicts a[title]')) {
      // The browser's own tooltip comes late and never for the keyboard; the words stay for screen readers.
      link.dataset.why = link.title;
      link.setAttribute('aria-description', link.title);
      link.removeAttribute('title');
      link.addEventListener('mouseenter', () => showTip(link));
      link.addEventListener('focus', () => showTip(link));
      link.addEventListener('mouseleave', hideTip);
      link.addEventListener('blur', hideTip);
    }
    document.addEventListener('keydown', (event) => { if (event.key === 'Escape') hideTip(); });
    document.addEventListener('scroll', hideTip, {passive: true, capture: true});
  };

  // --- The matrix is one stop for the tab key; arrows go from cell to cell --------------------------------------

  const kSteps = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]};

  const giveArrowKeys = (table) => {
    const rows = all('tbody tr', table).map((row) => all('td', row).map((cell) => cell.querySelector('a')));
    const links = rows.flat().filter((link) => link !== null);
    const place = new Map();
    rows.forEach((row, r) => row.forEach((link, c) => { if (link) place.set(link, [r, c]); }));
    links.forEach((link, i) => { link.tabIndex = i === 0 ? 0 : -1; });
    const goTo = (link) => {
      links.forEach((other) => { other.tabIndex = other === link ? 0 : -1; });
      link.focus();
    };
    table.addEventListener('keydown', (event) => {
      if (!place.has(event.target) || event.ctrlKey || event.altKey || event.metaKey) return;
      let [r, c] = place.get(event.target);
      if (event.key === 'Home' || event.key === 'End') {
        const row = rows[r].filter((link) => link !== null);
        goTo(event.key === 'Home' ? row[0] : row[row.length - 1]);
      } else if (event.key in kSteps) {
        const [down, right] = kSteps[event.key];
        do {
          r += down;
          c += right;
        } while (rows[r] !== undefined && rows[r][c] === null);
        if (rows[r] === undefined || !rows[r][c]) return;
        goTo(rows[r][c]);
      } else {
        return;
      }
      event.preventDefault();
    });
  };

  // --- Figures --------------------------------------------------------------------------------------------------

  const kUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

  const bytesText = (bytes) => {
    let unit = 0;
    while (bytes >= 1024 && unit + 1 < kUnits.length) {
      bytes /= 1024;
      ++unit;
    }
    return unit === 0 ? `${Math.round(bytes)} B` : `${bytes.toFixed(1)} ${kUnits[unit]}`;
  };
  const countText = (count) => Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ',');

  // --- Curves ---------------------------------------------------------------------------------------------------

  const kSeriesNames = {vsize: 'VSIZE', rss: 'RSS', commit: 'commit charge', live: 'bytes of live objects'};
  const kColors = 8;
  const kDashes = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

  const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colorName = (i) => `curve-${i % kColors + 1}`;

  // Powers of two between the ends of a logarithmic axis, at most some nine of them.
  const powerTicks = (least, most) => {
    const first = Math.ceil(Math.log2(Math.max(1, least)));
    const last = Math.floor(Math.log2(Math.max(1, most)));
    const step = Math.max(1, Math.ceil((last - first) / 8));
    const ticks = [];
    for (let power = first; power <= last; power += step) ticks.push({v: 2 ** power, label: bytesText(2 ** power)});
    return ticks;
  };

  // Values stand in the list below the chart; dygraphs' own legend wants inline styles, which the page forbids.
  Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

  class Curves {
    constructor(data) {
      this.data = data;
      this.boxes = all('.curve-runs input');
      this.chart = byId('chart');
      this.graph = null;
      this.boxes.forEach((box, i) => {
        box.checked = i < kColors;
        box.addEventListener('change', () => this.draw());
        box.parentElement.querySelector('.swatch').classList.add(colorName(i));
      });
      // 17 GiB beside 30 MiB: only a logarithmic scale shows both.
      const peaks = data.slice(0, kColors).map((curve) => Math.max(...curve.vsize)).filter((peak) => peak > 0);
      byId('log-scale').checked = peaks.length > 1 && Math.max(...peaks) > 20 * Math.min(...peaks);
      for (const radio of all('input[name="series"]')) radio.addEventListener('change', () => this.draw());
      byId('log-scale').addEventListener('change', () => this.draw());
      byId('zoom-reset').addEventListener('click', () => this.graph.resetZoom());
      byId('zoom-in').addEventListener('click', () => this.window((from, to) => [from + (to - from) / 4, to - (to - from) / 4]));
      byId('zoom-out').addEventListener('click', () => this.window((from, to) => [from - (to - from) / 2, to + (to - from) / 2]));
      byId('pan-left').addEventListener('click', () => this.window((from, to) => [from - (to - from) / 2, to - (to - from) / 2]));
      byId('pan-right').addEventListener('click', () => this.window((from, to) => [from + (to - from) / 2, to + (to - from) / 2]));
      window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
      this.draw();
    }

    series() { return document.querySelector('input[name="series"]:checked').value; }
    isLog() { return byId('log-scale').checked; }

    // What is drawn: {name, title, color, dash, event, value, curve, box} each.
    lines() {
      const ticked = this.boxes.map((box, i) => ({box, i, curve: this.data[i]})).filter(({box}) => box.checked);
      if (this.series() === 'all') {
        return ticked.slice(0, 1).flatMap(({box, curve}) => Object.keys(kSeriesNames).map((series, k) => ({
          name: kSeriesNames[series], title: kSeriesNames[series], color: colorName(k), dash: kDashes[0], value: curve[series], curve, box, series,
        })));
      }
      return ticked.map(({box, i, curve}) => ({
        name: `run ${curve.run}`, title: box.parentElement.querySelector('.name').textContent, color: colorName(i), dash: kDashes[Math.floor(i / kColors) % kDashes.length],
        value: curve[this.series()], curve, box, series: this.series(),
      }));
    }

    // One row per event that any line has a point at, null where another has none.
    rows(lines) {
      const rows = new Map();
      lines.forEach((line, k) => {
        line.curve.event.forEach((event, i) => {
          if (!rows.has(event)) rows.set(event, [event, ...lines.map(() => null)]);
          const value = line.value[i];
          rows.get(event)[k + 1] = this.isLog() && value <= 0 ? null : value;
        });
      });
      return Array.from(rows.values()).sort((a, b) => a[0] - b[0]);
    }

    // Limits of the lines, as heights of the chart: the limit counts the process's image too, the curves do not.
    limits(lines) {
      const limits = new Map();
      for (const line of lines) {
        if (line.curve.limit === undefined || (line.series !== 'vsize')) continue;
        limits.set(line.curve.limit, line.curve.limit - line.curve.image);
      }
      return Array.from(limits, ([limit, height]) => ({limit, height}));
    }

    draw() {
      const lines = this.lines();
      if (this.graph !== null) this.graph.destroy();
      this.graph = null;
      if (lines.length === 0) {
        byId('chart-words').textContent = 'No run is ticked.';
        byId('chart-legend').replaceChildren();
        return;
      }
      const rows = this.rows(lines);
      const highest = rows.reduce((most, row) => row.slice(1).reduce((high, value) => Math.max(high, value ?? 0), most), 1);
      const limits = this.limits(lines).filter(({height}) => height > 0);
      // A limit far above the curves would press them flat: then it is told in words.
      const shown = limits.filter(({height}) => this.isLog() || height <= 4 * highest);
      const top = Math.max(highest, ...shown.map(({height}) => height)) * (this.isLog() ? 1.6 : 1.06);
      this.lineCount = lines.length;
      this.list(lines);
      this.graph = new Dygraph(this.chart, rows, {
        labels: ['event', ...lines.map((line) => line.name)],
        colors: lines.map((line) => cssColor(`--${line.color}`)),
        series: Object.fromEntries(lines.map((line) => [line.name, {strokePattern: line.dash.length ? line.dash : null}])),
        connectSeparatedPoints: true,
        strokeWidth: 1.8,
        logscale: this.isLog(),
        valueRange: this.isLog() ? undefined : [0, top],
        gridLineColor: cssColor('--line'),
        axisLineColor: cssColor('--faint'),
        highlightCircleSize: 4,
        axes: {
          x: {axisLabelFormatter: countText, valueFormatter: countText, pixelsPerLabel: 90},
          y: {
            axisLabelFormatter: bytesText, valueFormatter: bytesText, axisLabelWidth: 78, labelsKMG2: true,
            ...(this.isLog() ? {ticker: powerTicks} : {}),
          },
        },
        underlayCallback: (canvas, area, graph) => this.drawLimits(canvas, area, graph, shown, lines),
        highlightCallback: (event, x, points) => this.tell(x, points, lines),
        unhighlightCallback: () => this.tell(null, [], lines),
      });
      this.say(lines, limits, highest);
    }

    drawLimits(canvas, area, graph, limits, lines) {
      canvas.save();
      canvas.font = '12px sans-serif';
      for (const {limit, height} of limits) {
        const y = graph.toDomYCoord(height);
        canvas.strokeStyle = canvas.fillStyle = cssColor('--limit');
        canvas.setLineDash([6, 4]);
        canvas.lineWidth = 2;
        canvas.beginPath();
        canvas.moveTo(area.x, y);
        canvas.lineTo(area.x + area.w, y);
        canvas.stroke();
        canvas.fillText(`limit ${bytesText(limit)}`, area.x + 6, y - 5);
      }
      for (const line of lines) {
        if (line.curve.refused === undefined) continue;
        const x = graph.toDomXCoord(line.curve.refused);
        canvas.strokeStyle = cssColor(`--${line.color}`);
        canvas.setLineDash([2, 3]);
        canvas.lineWidth = 1.5;
        canvas.beginPath();
        canvas.moveTo(x, area.y);
        canvas.lineTo(x, area.y + area.h);
        canvas.stroke();
      }
      canvas.restore();
    }

    // Values under the mouse, beside the names of the lines.
    tell(event, points, lines) {
      const at = new Map(points.map((point) => [point.name, point.yval]));
      for (const line of lines) {
        const known = at.has(line.name) && at.get(line.name) !== null && !Number.isNaN(at.get(line.name));
        line.output.textContent = known ? bytesText(at.get(line.name)) : '';
      }
      byId('chart-event').textContent = event === null ? '' : `at event ${countText(event)}`;
    }

    // One entry per line: colour, name, and room for a value.
    list(lines) {
      byId('chart-legend').replaceChildren(...lines.map((line) => {
        const entry = document.createElement('li');
        const swatch = document.createElement('i');
        swatch.className = `swatch ${line.color}`;
        line.output = document.createElement('output');
        entry.append(swatch, line.title, ' ', line.output);
        return entry;
      }));
    }

    say(lines, limits, highest) {
      const what = this.series() === 'all' ? `all four figures of run ${lines[0].curve.run}`
        : `${kSeriesNames[this.series()]} of ${lines.length} ${lines.length === 1 ? 'run' : 'runs'}`;
      const sources = Array.from(new Set(lines.map((line) => line.curve.provenance))).join(' and ');
      const far = limits.filter(({height}) => !this.isLog() && height > 4 * highest)
        .map(({limit}) => bytesText(limit)).join(', ');
      const most = Math.max(...lines.map((line) => line.curve.of));
      byId('chart-words').textContent = `${what}, ${sources}, up to ${bytesText(highest)}` +
        (far === '' ? '' : `; beyond the chart: limit ${far}`) +
        (lines.some((line) => line.curve.of > line.curve.event.length)
          ? `; drawn from the extremes of up to ${countText(most)} points` : '');
    }

    // Moves the window of events, within the whole run.
    window(change) {
      if (this.graph === null) return;
      const [least, most] = this.graph.xAxisExtremes();
      let [from, to] = change(...this.graph.xAxisRange());
      const width = Math.min(to - from, most - least);
      from = Math.max(least, Math.min(from, most - width));
      this.graph.updateOptions({dateWindow: [from, from + width]});
    }
  }

  // --- Start ----------------------------------------------------------------------------------------------------

  const giveCopyButton = () => {
    const button = byId('copy-rerun');
    if (button === null) return;
    button.addEventListener('click', async () => {
      const range = document.createRange();
      range.selectNodeContents(byId('rerun'));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      try {
        await navigator.clipboard.writeText(byId('rerun').textContent);
        button.textContent = 'copied';
      } catch {
        button.textContent = 'selected: copy it with the keyboard';
      }
    });
  };

  // What is folded away is printed all the same.
  const unfoldForPrinting = () => {
    let opened = [];
    window.addEventListener('beforeprint', () => {
      opened = all('details:not([open])');
      opened.forEach((details) => { details.open = true; });
    });
    window.addEventListener('afterprint', () => opened.forEach((details) => { details.open = false; }));
  };

  for (const element of all('.needs-script')) element.hidden = false;
  giveTooltips();
  for (const table of all('table.verdicts')) giveArrowKeys(table);
  giveCopyButton();
  unfoldForPrinting();
  const curves = byId('curves');
  if (curves !== null) {
    const drawn = new Curves(JSON.parse(curves.textContent));
    document.documentElement.dataset.curves = String(drawn.lineCount ?? 0);
  }
  document.documentElement.dataset.ready = 'yes';
})();
