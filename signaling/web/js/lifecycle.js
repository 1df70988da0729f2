// What both call pages share: how a machine steps, and the life of a call.
//
// Pure: no clock, no network, no page. A step takes a state and an event and gives the next state and effects, which
// are data; the shells in caller.js and volunteer.js carry them out. The server's machines look the same.

/**
 * @typedef {{type: string, [field: string]: any}} Happening  What happens: a press, a frame of the server, a device.
 * @typedef {{do: string, [field: string]: any}} Effect  What is to be done.
 * @typedef {{languages: string[], alias?: string | null, experience: number}} Partner
 *
 * @typedef {object} Now  Where a page stands.
 * @property {string} at  The name of the state.
 * @property {string | null} request  The request that this page made or accepted.
 * @property {string | null} call  The call this page is in, or was in last.
 * @property {Partner | null} partner
 * @property {string} trouble  What is wrong with a call: "", "poor", "away" or "reconnecting".
 * @property {boolean} met  Media has flowed in this call.
 * @property {string} reason  Why the last call ended; "hung" if it was ended here and the server has not said so yet.
 * @property {Happening | null} there  What goes on in another window: a call.begin or a request.
 * @property {Happening[]} offers  For volunteers: what rings.
 * @property {Happening[]} early  Signals that came before their call.begin.
 * @property {boolean} visiting  For volunteers: here for one offer, by a notification, and not on shift.
 * @property {string | null} dropped  A request that was cancelled here; the server may not know yet.
 * @property {string} search  For callers: how the search stood when it was told last.
 * @property {boolean} mayCallBack  For callers: the last call was cut off.
 * @property {string | null} back  For callers: the call whose volunteer is to be rung again.
 * @property {string | null} opening  For volunteers: the offer whose notification was tapped.
 * @property {boolean} offShift  For volunteers: it rings although this page is not on shift.
 *
 * @typedef {(now: Now, event: any) => [Now, ...Effect[]] | null} Move  Null: this is not ours, nothing happens.
 * @typedef {{[event: string]: Move}} Moves
 */

/** A press that the page does not offer in this state: a mistake of ours, not of the person. */
export class IllegalMove extends Error {
  /** @param {Now} now @param {Happening} event */
  constructor(now, event) {
    super(`${event.type} while ${now.at}`);
    this.now = now;
    this.event = event;
  }
}

/** @returns {Now} */
export const fresh = (at = 'ready', kept = {}) => ({
  at,
  request: null,
  call: null,
  partner: null,
  trouble: '',
  met: false,
  reason: '',
  there: null,
  offers: [],
  early: [],
  visiting: false,
  dropped: null,
  search: '',
  mayCallBack: false,
  back: null,
  opening: null,
  offShift: false,
  ...kept,
});

/**
 * The step function of a table. What the network brings may come late or twice, and is ignored where the table has no
 * place for it; a press with no place raises IllegalMove.
 * @param {{[state: string]: Moves}} table
 * @param {Moves} always  Moves of every state, where the table has no other.
 */
export function machine(table, always) {
  /** @param {Now} now @param {Happening} event @returns {{state: Now, effects: Effect[]}} */
  return (now, event) => {
    // Own entries only: "constructor" and the like are names as any other to whoever writes frames.
    const moves = [table[now.at], always].find((one) => one && Object.hasOwn(one, event.type));
    const move = moves?.[event.type];
    if (move === undefined) {
      if (event.type.startsWith('press.')) throw new IllegalMove(now, event);
      return { state: now, effects: [] };
    }
    const made = move(now, event);
    if (made === null) return { state: now, effects: [] };
    const [state, ...effects] = made;
    return { state, effects };
  };
}

/** @param {string} type @param {Record<string, any>} fields @returns {Effect} */
export const send = (type, fields) => ({ do: 'send', frame: { type, ...fields } });
/** @returns {Effect} */
export const show = (/** @type {string} */ screen) => ({ do: 'show', screen });
/** Words for when the person has a moment. @returns {Effect} */
export const tell = (/** @type {string} */ what, data = {}) => ({ do: 'tell', what, ...data });
/**
 * Words that interrupt: only for connected, lost, back and ended. With `spoken`, the page shows them elsewhere.
 * @returns {Effect}
 */
export const alert = (/** @type {string} */ what, data = {}) => ({ do: 'alert', what, ...data });
/** Words that stand on the page already, for those who listen. @returns {Effect} */
export const say = (/** @type {string} */ what, data = {}) => ({ do: 'say', what, ...data });
/** @returns {Effect} */
export const sound = (/** @type {string} */ name) => ({ do: 'sound', name });

// --- the life of a call, the same on both sides

/**
 * A call of this page begins. With `joining` it has begun before: signals were lost, and both sides connect anew.
 * @param {Now} now @param {Happening} begin @returns {[Now, ...Effect[]]}
 */
export function begun(now, begin, joining = false, words = 'connecting') {
  const state = {
    ...now,
    at: 'connecting',
    request: begin.request_id,
    call: begin.call_id,
    partner: begin.partner,
    trouble: '',
    met: false,
    reason: '',
    there: null,
    offers: [],
    early: [],
    search: '',
    mayCallBack: false,
    back: null,
    opening: null,
    offShift: false,
  };
  return [
    state,
    { do: 'camera.open' },
    { do: 'peer.open', begin, joining },
    ...now.early.filter((frame) => frame.call_id === begin.call_id).map((frame) => ({ do: 'peer.signal', frame })),
    show('connecting'),
    tell(words, { role: begin.role }),
    sound('answered'),
  ];
}

/** @type {Move} */
const flowing = (now) => [
  { ...now, at: 'connected', met: true, trouble: '' },
  send('call.connected', { call_id: now.call }),
  show('call'),
  alert('connected', { partner: now.partner, spoken: true }),
  sound('connected'),
];

/** @type {Move} */
const lost = (now) =>
  now.trouble === 'reconnecting' ? null : [{ ...now, trouble: 'reconnecting' }, alert('reconnecting'), sound('lost')];

/** @type {Move} */
const back = (now) => (now.trouble === 'reconnecting' ? [{ ...now, trouble: '' }, alert('back'), sound('back')] : null);

/** @type {Move} */
const poor = (now) => (now.trouble === '' ? [{ ...now, trouble: 'poor' }, tell('poor')] : null);

/** @type {Move} */
const good = (now) => (now.trouble === 'poor' ? [{ ...now, trouble: '' }, tell('good')] : null);

/** The other side's socket dropped or came back. While media is lost, that is the greater news. @type {Move} */
const partner = (now, event) => {
  if (event.call_id !== now.call || now.trouble === 'reconnecting') return null;
  if (event.state === 'away') return [{ ...now, trouble: 'away' }, tell('away')];
  return now.trouble === 'away' ? [{ ...now, trouble: '' }, tell('returned')] : null;
};

/** Ended here: camera and microphone stop at once, whatever the network does. @type {Move} */
const hang = (now, event) => [
  { ...now, at: 'ended', trouble: '', reason: event.reason === 'abuse' ? 'abuse' : 'hung' },
  { do: 'peer.close' },
  { do: 'camera.close' },
  send('call.end', { call_id: now.call, reason: event.reason }),
  show('ended'),
  alert('ended', { reason: event.reason === 'abuse' ? 'abuse' : 'hung', spoken: true }),
  sound('ended'),
];

/** Ended by the server or the other side. @type {Move} */
const over = (now, event) =>
  event.call_id === now.call
    ? [
        { ...now, at: 'ended', trouble: '', reason: event.reason },
        { do: 'peer.close' },
        { do: 'camera.close' },
        show('ended'),
        alert('ended', { reason: event.reason, spoken: true }),
        sound('ended'),
      ]
    : null;

/** @type {Move} */
const signal = (now, event) => (event.call_id === now.call ? [now, { do: 'peer.signal', frame: event }] : null);

/** @type {Move} */
const restart = (now, event) => (event.call_id === now.call ? [now, { do: 'peer.restart', frame: event }] : null);

/** Another window of this person went on with this call. @type {Move} */
const taken = (now) => elsewhere(now, { type: 'call.begin', call_id: now.call, request_id: now.request, taken: true });

/** While the two connect. @type {Moves} */
export const CONNECTING = {
  'media.flowing': flowing,
  'call.signal': signal,
  'call.restart': restart,
  'call.ended': over,
  'press.end': hang,
  'peer.taken': taken,
  'camera.failed': (now, event) => {
    const [state, ...effects] = /** @type {[Now, ...Effect[]]} */ (hang(now, { reason: 'technical' }));
    return [state, ...effects, tell('trouble', { why: event.why })];
  },
};

/** While they talk. @type {Moves} */
export const CONNECTED = {
  'media.lost': lost,
  'media.back': back,
  'media.poor': poor,
  'media.good': good,
  'call.partner': partner,
  // Media needs no socket: nothing is lost yet.
  'wire.lost': (now) => (now.trouble === 'reconnecting' ? null : [now, tell('offline_call')]),
  'wire.back': (now) => (now.trouble === 'reconnecting' ? null : [now, tell('online')]),
  'call.signal': signal,
  'call.restart': restart,
  'call.ended': over,
  'press.end': hang,
  'peer.taken': taken,
};

/** Ended here before, and now the server says so too: points are counted. @type {Move} */
export const said = (now, event) => (event.call_id === now.call ? [now, { do: 'ended' }] : null);

// --- other windows

/** Something of this person goes on in another window. @type {(now: Now, there: Happening) => [Now, ...Effect[]]} */
export const elsewhere = (now, there) => [
  { ...now, at: 'elsewhere', there, request: null, call: null },
  { do: 'peer.close' },
  { do: 'camera.close' },
  show('elsewhere'),
];

/** @type {(now: Now, begin: Happening) => boolean} */
export const mine = (now, begin) =>
  (now.call !== null && begin.call_id === now.call) || (now.request !== null && begin.request_id === now.request);

/** The account was closed, or signed out, or the server does not want us back. @type {Move} */
export const closed = (now, event) => [
  { ...now, at: 'closed' },
  { do: 'peer.close' },
  { do: 'camera.close' },
  show('closed'),
  tell('closed', { why: event.why }),
];
