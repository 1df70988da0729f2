// The volunteer's page: /volunteer.

import { Page } from './page.js';
import step, { start } from './volunteer-lifecycle.js';

new Page('volunteer', step, start).start();
