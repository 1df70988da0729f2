// The volunteer's page: /volunteer.

import { Page } from './page.js';
import step, { start } from './volunteer-lifecycle.js';

const page = new Page('volunteer', step, start);
page.start();

// A notification was tapped: the offer comes in the address of a page that was opened, or to one that was open.
const offer = new URLSearchParams(location.search).get('offer');
if (offer) {
  history.replaceState(null, '', location.pathname); // a reload is no second tap
  page.handle({ type: 'tapped', offer_id: offer });
}
navigator.serviceWorker?.addEventListener('message', ({ data }) => {
  if (typeof data?.offer === 'string') page.handle({ type: 'tapped', offer_id: data.offer });
});
void page.push.keep().catch(() => {}); // not worth a word: the profile says how it stands
