// The subscription of this browser to pushes: made, kept fresh, and taken back.

import { locale } from './i18n.js';
import { sameKey, stateOf } from './push-state.js';

const KEPT = 'visavis.push'; // the person who wanted to be rung on this browser

export class Push {
  /** @param {import('./api.js').Api} api */
  constructor(api) {
    this.api = api;
    this.supported = 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis;
  }

  /** @returns {Promise<import('./push-state.js').State>} */
  async state() {
    const permission = this.supported ? Notification.permission : 'denied';
    // Only browsers of iPhones and iPads know the word; there, pages have no push unless opened from the home screen.
    const homeScreen = !this.supported && /** @type {any} */ (navigator).standalone === false;
    const subscribed = this.supported && permission === 'granted' && (await this.subscribed());
    return stateOf({ supported: this.supported, homeScreen, permission, subscribed });
  }

  async subscribed() {
    const registration = await navigator.serviceWorker.getRegistration('/');
    const subscription = await registration?.pushManager.getSubscription();
    return Boolean(subscription) && (await this.wanted());
  }

  /** Begin to be rung. Call it when a button was pressed: browsers ask only then. */
  async on() {
    if ((await Notification.requestPermission()) !== 'granted') return;
    await this.enrol(await this.register());
    remember(await this.person());
  }

  /** Be rung no more, here. */
  async off() {
    remember(null);
    const registration = await navigator.serviceWorker.getRegistration('/');
    const subscription = await registration?.pushManager.getSubscription();
    if (!subscription) return;
    const { id } = await this.enlist(subscription); // the same address again: this tells its name
    await this.api.call('DELETE', `/v1/me/devices/${id}`);
    await subscription.unsubscribe();
  }

  /** What was switched on before stays so: under a new key, in another language, after signing in again. */
  async keep() {
    if (!this.supported || Notification.permission !== 'granted' || !(await this.wanted())) return;
    await this.enrol(await this.register());
  }

  /** Whether it was this person who wanted it: a browser may be shared. */
  async wanted() {
    const who = recall();
    return who !== null && who === (await this.person());
  }

  async person() {
    if (!this.api.person) await this.api.refresh();
    return this.api.person;
  }

  async register() {
    await navigator.serviceWorker.register(`/sw.js?lang=${encodeURIComponent(locale)}`);
    return navigator.serviceWorker.ready;
  }

  /** @param {ServiceWorkerRegistration} registration */
  async enrol(registration) {
    const { key } = await this.api.call('GET', '/v1/push/key');
    let subscription = await registration.pushManager.getSubscription();
    if (subscription && !sameKey(subscription.options.applicationServerKey, key)) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    return this.enlist(subscription);
  }

  /** @param {PushSubscription} subscription @returns {Promise<{id: string}>} */
  enlist(subscription) {
    const { endpoint, keys, expirationTime } = subscription.toJSON();
    return this.api.call('POST', '/v1/me/devices', { kind: 'web_push', endpoint, keys, expirationTime });
  }

  /** Notifications that still ring here, of an offer that was answered in the page. */
  async quieten() {
    if (!this.supported) return;
    const registration = await navigator.serviceWorker.getRegistration('/');
    for (const notification of (await registration?.getNotifications()) ?? []) notification.close();
  }
}

function recall() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** @param {string | null} person */
function remember(person) {
  try {
    if (person === null) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, person);
  } catch {
    // A browser that keeps nothing has to be told again each time.
  }
}
