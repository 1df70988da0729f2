// The service worker: shows what a push says and opens the page when a notification is tapped. It is served as
// /sw.js?lang=LANGUAGE with `WORDS` before it (routes/worker.py), so that it speaks without asking anybody.
//
// A push brings which offer rings and nothing else: whether it still does, the page asks when it is opened. Browsers
// want something to be seen for every push; a ring that was taken back therefore becomes a quiet thank-you in its place.

/** @typedef {{kind: 'ring' | 'gone', offer: string, tag: string, expires: number}} Payload */

const HOME = '/volunteer';
const VIBRATION = [400, 200, 400, 200, 400];

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('push', (event) => event.waitUntil(shown(read(event.data))));

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(opened(event.notification.data?.offer ?? null));
});

self.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renewed(event)));

/** @param {PushMessageData | null} data @returns {Payload | null} */
function read(data) {
  try {
    const payload = data?.json();
    return typeof payload?.tag === 'string' && typeof payload.offer === 'string' ? payload : null;
  } catch {
    return null;
  }
}

/** @param {Payload | null} payload */
async function shown(payload) {
  const { lang, dir, ring, gone } = WORDS;
  if (payload?.kind === 'ring' && payload.expires * 1000 > Date.now()) {
    return self.registration.showNotification(ring.title, {
      ...{ body: ring.body, lang, dir, tag: payload.tag, data: { offer: payload.offer } },
      ...{ requireInteraction: true, renotify: true, vibrate: VIBRATION },
    });
  }
  // Taken back, too late, or nothing we understand. The same tag: it takes the place of the ring.
  const tag = payload?.tag ?? 'visavis';
  return self.registration.showNotification(gone.title, { body: gone.body, lang, dir, tag, silent: true });
}

/** Go to the page, which asks whether the offer still stands. @param {string | null} offer */
async function opened(offer) {
  const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const page = windows.find((one) => new URL(one.url).pathname === HOME);
  if (!page) return self.clients.openWindow(offer ? `${HOME}?offer=${encodeURIComponent(offer)}` : HOME);
  if (offer) page.postMessage({ offer });
  return page.focus();
}

/** The browser has changed its subscription by itself: the server must know, or nobody rings here any more. */
async function renewed(event) {
  const { key } = await answer(fetch('/v1/push/key'));
  const subscription =
    event.newSubscription ??
    (await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
  const { access_token: token } = await answer(fetch('/v1/auth/refresh', { method: 'POST' }));
  const { endpoint, keys } = subscription.toJSON();
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ kind: 'web_push', endpoint, keys });
  await answer(fetch('/v1/me/devices', { method: 'POST', headers, body }));
}

/** @param {Promise<Response>} asked */
async function answer(asked) {
  const response = await asked;
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}
