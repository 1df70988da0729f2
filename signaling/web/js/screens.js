// What main shows. Every screen is a template in the page, in words of the server; a change replaces main's content,
// moves the focus to the new heading and sets the title, so that eyes, ears and fingers arrive together.

export class Screens {
  /** @param {HTMLElement} main */
  constructor(main) {
    this.main = main;
    this.now = main.dataset.screen ?? '';
    /** @type {Record<string, string>} */
    this.texts = {};
  }

  /** @param {string} name */
  show(name) {
    const template = document.getElementById(`screen-${name}`);
    if (!(template instanceof HTMLTemplateElement)) throw new Error(`no screen ${name}`);
    this.main.replaceChildren(template.content.cloneNode(true));
    this.main.dataset.screen = this.now = name;
    // While something happens, nothing on the page leads away from it by mistake.
    for (const part of document.querySelectorAll('[data-idle]')) {
      /** @type {HTMLElement} */ (part).hidden = template.dataset.busy !== undefined;
    }
    for (const [key, text] of Object.entries(this.texts)) this.write(key, text);
    const heading = this.main.querySelector('h1');
    if (heading) {
      heading.tabIndex = -1;
      heading.focus();
      document.title = `${heading.textContent?.trim()} – visavis`;
    }
    scrollTo(0, 0);
  }

  /** Fill the places named `key`, on this screen and on later ones. @param {string} key @param {string} text */
  fill(key, text) {
    this.texts[key] = text;
    this.write(key, text);
  }

  /** @param {string} key @param {string} text */
  write(key, text) {
    for (const place of this.main.querySelectorAll(`[data-text="${key}"]`)) {
      place.textContent = text;
      /** @type {HTMLElement} */ (place).hidden = text === '';
    }
  }

  /** Show or hide the parts that are for some cases only. @param {string} key @param {boolean} so */
  when(key, so) {
    for (const part of this.main.querySelectorAll(`[data-when="${key}"]`))
      /** @type {HTMLElement} */ (part).hidden = !so;
  }

  /** A media element of this screen. @param {string} key @returns {HTMLMediaElement | null} */
  media(key) {
    return this.main.querySelector(`[data-media="${key}"]`);
  }
}
