// The section of the profile in which a volunteer lets this device be rung while the page is closed.

import { Api } from './api.js';
import { Push } from './push.js';
import { complaint, words } from './push-state.js';

const section = /** @type {HTMLElement | null} */ (document.querySelector('[data-push]'));

/** @param {HTMLElement} section */
function begin(section) {
  const push = new Push(new Api());
  const status = /** @type {HTMLElement} */ (section.querySelector('[data-push-status]'));
  const buttons = /** @type {HTMLButtonElement[]} */ ([...section.querySelectorAll('button[data-push-turn]')]);

  const paint = async () => {
    const state = await push.state();
    section.dataset.push = state;
    status.textContent = words(state);
    for (const button of buttons) button.hidden = !(button.dataset.pushTurn === { off: 'on', on: 'off' }[state]);
    return state;
  };

  for (const button of buttons) {
    button.addEventListener('click', async () => {
      button.disabled = true;
      let error = null;
      try {
        await (button.dataset.pushTurn === 'on' ? push.on() : push.off());
      } catch (why) {
        error = why;
      }
      button.disabled = false;
      await paint();
      if (error) status.textContent = complaint(/** @type {{detail?: string, name?: string}} */ (error));
      // The button that was pressed may be gone: the focus goes to the one in its place, or to what was said.
      const next = buttons.find((one) => !one.hidden) ?? status;
      next.focus();
    });
  }
  void push.keep().catch(() => {}).finally(paint);
}

if (section) begin(section);
