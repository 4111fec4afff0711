import { render } from 'preact';
import './style/fonts.css';
import './style/base.css';
import './style/layout.css';
import './style/parts.css';
import './style/charts.css';
import 'uplot/dist/uPlot.min.css';
import { App } from './app.tsx';
import { applyTheme } from './theme.ts';

applyTheme();
const place = document.getElementById('console');
if (place !== null) render(<App />, place);
