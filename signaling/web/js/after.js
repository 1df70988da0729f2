// After a call: how it was, a report, never again, points. Everything can be left out, changed, and done later on the
// page of past calls.

import { Problem } from './api.js';
import { _, ngettext } from './i18n.js';

/** @typedef {import('./lifecycle.js').Now} Now */

export class After {
  /**
   * @param {import('./api.js').Api} api @param {'caller' | 'volunteer'} role
   * @param {import('./screens.js').Screens} screens @param {import('./announce.js').Announcer} announcer
   */
  constructor(api, role, screens, announcer) {
    this.api = api;
    this.role = role;
    this.screens = screens;
    this.announcer = announcer;
    this.call = '';
    screens.main.addEventListener('submit', (event) => {
      const form = event.target;
      if (!(form instanceof HTMLFormElement) || !form.dataset.say) return;
      event.preventDefault();
      void this.submitted(form, form.dataset.say);
    });
  }

  /** The screen is up. @param {Now} now */
  begin(now) {
    this.call = now.call ?? '';
    this.screens.fill('earned', '');
    this.screens.fill('said', '');
    if (now.reason === 'abuse') this.pressed(true);
    if (now.reason !== 'hung') void this.settled(now);
  }

  /** The server has ended the call: by now points are counted. @param {Now} now */
  async settled(now) {
    if (this.role !== 'volunteer' || !now.met || !now.call) return;
    try {
      const [{ calls }, { balance }] = await Promise.all([
        this.api.call('GET', '/v1/me/calls'),
        this.api.call('GET', '/v1/me/points'),
      ]);
      const points = calls.find((/** @type {{call_id: string}} */ call) => call.call_id === now.call)?.points ?? 0;
      if (now.call !== this.call) return;
      const earned =
        points > 0 ? ngettext('You earned %(count)s point.', 'You earned %(count)s points.', points) + ' ' : '';
      const total = ngettext('You have %(count)s point.', 'You have %(count)s points.', balance);
      this.screens.fill('earned', _('Thank you for helping!') + ' ' + earned + total);
    } catch {
      // The page of points says it as well.
    }
  }

  /** @param {HTMLFormElement} form @param {string} what */
  async submitted(form, what) {
    const data = new FormData(form);
    const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim() || null;
    // Whoever says only that the problem was solved had nothing to complain of.
    const anything = ['conduct', 'outcome', 'technical', 'comment'].some(text);
    if (what === 'rating' && !anything) return this.refuse(form, 'conduct', _('Choose an answer first.'));
    if (what === 'report' && !data.get('kind')) return this.refuse(form, 'kind', _('Choose what happened.'));
    try {
      if (what === 'rating') {
        const rating = {
          conduct: text('conduct') ?? 'fine',
          technical: data.has('technical'),
          comment: text('comment'),
        };
        const outcome = text('outcome');
        await this.api.call('PUT', this.path('rating'), outcome ? { ...rating, outcome } : rating);
        if (rating.conduct === 'problem') this.pressed(true);
        this.say(_('Thank you. What you said is saved.'));
      } else {
        await this.api.call('POST', this.path('report'), { kind: text('kind'), text: text('text') });
        this.pressed(true);
        this.say(_('Thank you. Your report was sent; people of our team will read it.'));
      }
      form.closest('details')?.removeAttribute('open');
      form.closest('details')?.querySelector('summary')?.focus();
    } catch (error) {
      this.say(wording(error));
    }
  }

  /** @param {boolean} on */
  async neverAgain(on) {
    this.pressed(on);
    try {
      await this.api.call('PUT', this.path('never-again'), { never_again: on });
      this.say(
        on ? _('You will never be matched with this person again.') : _('You may be matched with this person again.'),
      );
    } catch (error) {
      this.pressed(!on);
      this.say(wording(error));
    }
  }

  /** @param {boolean} on */
  pressed(on) {
    this.screens.main.querySelector('[data-toggle="never-again"]')?.setAttribute('aria-pressed', String(on));
  }

  /** @param {string} what */
  path(what) {
    return `/v1/calls/${this.call}/${what}`;
  }

  /** @param {HTMLFormElement} form @param {string} name @param {string} why */
  refuse(form, name, why) {
    const field = form.elements.namedItem(name);
    const first = field instanceof RadioNodeList ? field[0] : field;
    if (first instanceof HTMLElement) first.focus();
    this.say(why);
  }

  /** @param {string} text */
  say(text) {
    this.screens.fill('said', text);
    this.announcer.say(text);
  }
}

/** @param {unknown} error */
const wording = (error) =>
  error instanceof Problem && error.detail
    ? error.detail
    : _('This could not be sent. Please try again, or do it later on the page of past calls.');
