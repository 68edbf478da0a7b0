// Asks the authenticator and posts its answer with the page's form. Nothing else runs on our pages.
(() => {
  "use strict";
  const form = document.getElementById("passkey");
  if (!form) return;
  const button = document.getElementById("passkey-ask");
  const trouble = document.getElementById("passkey-trouble");
  const say = (text) => { trouble.textContent = text; trouble.hidden = false; };
  if (!window.PublicKeyCredential) {
    say(form.dataset.unknown);
    return;
  }
  button.hidden = false;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const read = (listed) => listed.map((one) => ({ ...one, id: bytes(one.id) }));

  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  const creates = "user" in options;
  if (creates) {
    options.user.id = bytes(options.user.id);
    options.excludeCredentials = read(options.excludeCredentials);
  } else {
    options.allowCredentials = read(options.allowCredentials);
  }

  const post = (credential) => {
    const answer = { id: text(credential.rawId), clientDataJSON: text(credential.response.clientDataJSON) };
    if (creates) {
      answer.authenticatorData = text(credential.response.getAuthenticatorData());
    } else {
      answer.authenticatorData = text(credential.response.authenticatorData);
      answer.signature = text(credential.response.signature);
      answer.userHandle = credential.response.userHandle ? text(credential.response.userHandle) : null;
    }
    form.elements.credential.value = JSON.stringify(answer);
    form.submit();
  };

  let waiting = null;
  const wait = async () => {
    // The browser offers passkeys in the address field, where it can; not again after one that failed, or a browser that
    // answers by itself would go round for ever.
    const offers = PublicKeyCredential.isConditionalMediationAvailable;
    if (!("offers" in form.dataset) || !offers || !(await offers.call(PublicKeyCredential))) return;
    waiting = new AbortController();
    try {
      post(await navigator.credentials.get({ publicKey: options, mediation: "conditional", signal: waiting.signal }));
    } catch {
      // Given up for the button, or the browser gave up: the button is still there.
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    waiting?.abort();
    trouble.hidden = true;
    button.disabled = true;
    try {
      const ask = creates ? "create" : "get";
      post(await navigator.credentials[ask]({ publicKey: options }));
    } catch (error) {
      button.disabled = false;
      say(error.name === "InvalidStateError" ? form.dataset.twice : form.dataset.nothing);
    }
  });
  wait();
})();
