// What a page on one product can fire at its siblings (rule H6): every verb by fetch with the person's cookies, forms into frames,
// beacons, images, event streams, WebSockets. Gives one line per attempt with what the page itself could learn of it.

/** Runs all attempts from the page that the tab shows, one target after the other. */
export async function attack(page, targets) {
  const attempts = [];
  for (const target of targets) attempts.push(...await page.evaluate(fire, target));
  return attempts;
}

/** Runs inside the page. */
async function fire(target) {
  const attempts = [];
  const note = (kind, outcome) => attempts.push({ kind, target, outcome: String(outcome) });
  const within = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 3000, 'no answer'))]);

  for (const mode of ['no-cors', 'cors']) {
    const verbs = mode === 'cors' ? ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] : ['GET', 'HEAD', 'POST'];
    for (const method of verbs) {
      const body = ['GET', 'HEAD'].includes(method) ? undefined : new URLSearchParams({ attack: '1' });
      const outcome = fetch(target, { method, mode, body, credentials: 'include', cache: 'no-store' })
        .then((response) => (response.type === 'opaque' ? 'opaque' : `read ${response.status}`), () => 'blocked');
      note(`fetch ${mode} ${method}`, await within(outcome));
    }
  }
  for (const method of ['get', 'post']) note(`form ${method}`, await within(submit(method)));
  note('beacon', navigator.sendBeacon(target, 'attack=1'));
  note('image', await within(loaded('img', 'src')));
  note('script', await within(loaded('script', 'src')));
  note('prefetch', await within(prefetched()));
  note('event stream', await within(streamed()));
  note('websocket', await within(socket()));
  return attempts;

  function submit(method) {
    const frame = document.createElement('iframe');
    frame.name = `frame-${method}-${Math.random()}`;
    const form = Object.assign(document.createElement('form'), { action: target, target: frame.name });
    form.method = method;
    form.innerHTML = '<input type="hidden" name="attack" value="1">';
    document.body.append(frame, form);
    return new Promise((resolve) => {
      frame.addEventListener('load', () => setTimeout(() => resolve('frame loaded'), 50), { once: true });
      form.submit();
    }).finally(() => { frame.remove(); form.remove(); });
  }

  function loaded(tag, attribute) {
    const element = document.createElement(tag);
    return new Promise((resolve) => {
      element.onload = () => resolve('loaded');
      element.onerror = () => resolve('error');
      element[attribute] = target;
      document.body.append(element);
    }).finally(() => element.remove());
  }

  function prefetched() {
    const link = Object.assign(document.createElement('link'), { rel: 'prefetch', href: target });
    return new Promise((resolve) => {
      link.onload = () => resolve('loaded');
      link.onerror = () => resolve('error');
      document.head.append(link);
    }).finally(() => link.remove());
  }

  function streamed() {
    const source = new EventSource(target, { withCredentials: true });
    return new Promise((resolve) => {
      source.onopen = () => resolve('open');
      source.onerror = () => resolve('error');
    }).finally(() => source.close());
  }

  function socket() {
    const live = new WebSocket(target.replace(/^http/, 'ws'));
    return new Promise((resolve) => {
      live.onopen = () => resolve('open');
      live.onclose = () => resolve('closed');
    }).finally(() => live.close());
  }
}
