// The caller's page: /call.

import step, { start } from './caller-lifecycle.js';
import { Page } from './page.js';

new Page('caller', step, start).start();
