// Whether this device can be rung while the page is closed, and what to say about it. Pure.

import { _ } from './i18n.js';

/**
 * @typedef {'unsupported' | 'home_screen' | 'refused' | 'off' | 'on'} State
 * @typedef {object} Facts
 * @property {boolean} supported  The browser has service workers, notifications and Web Push.
 * @property {boolean} homeScreen  It would have, if the page were opened from the home screen (iPhone, iPad).
 * @property {string} permission  As the Notifications API names it.
 * @property {boolean} subscribed  The server knows this browser as a device of this person.
 */

/** @param {Facts} facts @returns {State} */
export function stateOf({ supported, homeScreen, permission, subscribed }) {
  if (homeScreen) return 'home_screen';
  if (!supported) return 'unsupported';
  if (permission === 'denied') return 'refused';
  return permission === 'granted' && subscribed ? 'on' : 'off';
}

/** What stands in the section. @param {State} state */
export function words(state) {
  switch (state) {
    case 'unsupported':
      return _(
        'This browser cannot be rung while the page is closed. A current Firefox, Chrome, Edge or Safari can, except in a private window.',
      );
    case 'home_screen':
      return _(
        'On an iPhone or iPad, first add visavis to your home screen: open the Share menu, choose “Add to Home Screen”, open visavis from there, and come back to this place.',
      );
    case 'refused':
      return _(
        'Your browser does not let us send notifications. Allow them for this page: in the address bar, open the site’s settings, set notifications to “allow”, then load this page again. On an iPhone, look in Settings, Notifications, visavis.',
      );
    case 'on':
      return _('This device rings while the page is closed.');
    default:
      return _('This device does not ring while the page is closed.');
  }
}

/** What went wrong when it was switched on or off. @param {{detail?: string, name?: string}} error */
export function complaint(error) {
  if (error.detail) return error.detail;
  return error.name === 'AbortError'
    ? _('Your browser’s push service does not answer. Please try again later, or in another browser.')
    : _('This did not work. Please try again.');
}

/** Whether a subscription was made with that key of the server's. @param {ArrayBuffer | null} made @param {string} key */
export const sameKey = (made, key) =>
  made !== null &&
  btoa(String.fromCharCode(...new Uint8Array(made)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '') === key;
