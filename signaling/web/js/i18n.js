// Words in the person's language. The catalog is named by the page and comes from the same .po file as the page's own
// words; English is the language of the source and needs none.

/** @typedef {{locale: string, plurals: string, messages: Record<string, string | string[]>}} Catalog */

const page = document.documentElement;

/** The language of the page, as BCP 47. */
export const locale = page.lang || 'en';

/** @returns {Promise<Catalog>} */
async function load() {
  /** @type {Catalog} */
  const none = { locale: 'en', plurals: '', messages: {} };
  if (!page.dataset.catalog) return none;
  try {
    const response = await fetch(page.dataset.catalog);
    return response.ok ? await response.json() : none;
  } catch {
    return none; // English words are better than a page that does nothing
  }
}

const catalog = await load();

/** @param {string} text @param {Record<string, unknown>} data */
const filled = (text, data) =>
  text.replace(/%\((\w+)\)s|%%/g, (whole, name) => (whole === '%%' ? '%' : String(data[name] ?? '')));

/** A message in the person's language, with %(name)s filled from `data`. @param {string} text */
export function _(text, data = {}) {
  const found = catalog.messages[text];
  return filled(typeof found === 'string' ? found : text, data);
}

/** Which plural form a count takes: the server made a table, which repeats after a hundred. @param {number} count */
const form = (count) =>
  catalog.plurals ? Number(catalog.plurals[count < 200 ? count : 100 + (count % 100)]) : Number(count !== 1);

/** `one` or `many`, as the language counts, with %(count)s filled. @param {string} one @param {string} many @param {number} count */
export function ngettext(one, many, count, data = {}) {
  const found = catalog.messages[one];
  const text = Array.isArray(found) ? (found[form(count)] ?? found[found.length - 1]) : count === 1 ? one : many;
  return filled(text ?? many, { count, ...data });
}

const names = new Intl.DisplayNames([locale], { type: 'language', fallback: 'code' });
const list = new Intl.ListFormat([locale], { type: 'conjunction' });

/** Languages by name: "English and French". @param {string[]} tags */
export function spoken(tags) {
  return list.format(
    tags.map((tag) => {
      try {
        return names.of(tag) ?? tag;
      } catch {
        return tag;
      }
    }),
  );
}

/** A waiting time in words, as exact as anybody needs it. @param {number} seconds */
export function lasting(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return ngettext('%(count)s second', '%(count)s seconds', whole);
  const minutes = ngettext('%(count)s minute', '%(count)s minutes', Math.floor(whole / 60));
  const rest = whole % 60;
  if (rest === 0 || whole >= 600) return minutes;
  return _('%(minutes)s %(seconds)s', {
    minutes,
    seconds: ngettext('%(count)s second', '%(count)s seconds', rest),
  });
}
