// The volunteer's page: /volunteer.

import { Page } from './page.js';
import step, { start } from './volunteer-lifecycle.js';

const page = new Page('volunteer', step, start);
page.start();

// A notification was tapped while this page was open; one that it opens has the offer in its address.
navigator.serviceWorker?.addEventListener('message', ({ data }) => {
  if (typeof data?.offer === 'string') page.handle({ type: 'open.offer', offer_id: data.offer });
});
void page.push.keep().catch(() => {}); // not worth a word: the profile says how it stands
