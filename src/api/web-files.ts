/** The bundles of the web client. To load this module makes them (0.2 s): do so when they are asked for. */

import { bundle } from './web-bundle.ts' with { type: 'macro' };

export const script = bundle('main.tsx');
export const styles = bundle('style.css');
