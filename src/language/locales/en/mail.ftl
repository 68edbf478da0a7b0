# What mails say, in English. The first message of a letter is its subject. $at, $until and $then are finished times; $state, $how,
# $factor, $by and $count tell which sentence it is.

mail-foot = Sent by { $origin } because of what happened to an account with this address. Nobody reads answers to it.

mail-managed = { $state ->
    [now] Your account is now managed by { $org }
   *[no] Your account is no longer managed by { $org }
}
mail-managed-what = { $state ->
    [now] { $org } has shown that it holds the domain of { $address }. From now on it manages the account with this address: how it logs in, and whether it may.
   *[no] { $org } no longer manages the account of { $address }. You decide again how it logs in.
}
mail-managed-do = { $state ->
    [now] Your work stays exactly as it is. If this address is not the one that you want to use for it, change it or ask an admin of { $org }.
   *[no] Your work stays exactly as it is. At your next login you may be asked to prove this address or to choose a new password.
}

mail-address-retired = This address no longer logs in to { $product }
mail-address-retired-what = Somebody tried to log in to { $product } with this address. It no longer logs in there, because an account has one address only.
mail-address-retired-do = Use { $kept } instead. That is the address that was kept; it is shown in part, so that only its owner recognizes it.
mail-address-retired-not-you = If that was not you, you need not do anything.

mail-moved = Your { $product } login uses { $provider } now
mail-moved-what = { $how ->
    [login] You logged in with { $provider }, and your { $product } account moved to it. Log in with { $provider } from now on; the old { $product } password no longer works.
   *[asked] You moved your { $product } account to { $provider }. Log in with { $provider } from now on; the old { $product } password no longer works.
}
mail-moved-stays = What you have in { $product } stays exactly as it is. { $kept } is the address of the account.
mail-not-you-ask = If that was not you, ask the people who run { $product } for help.

mail-merged = Your two { $product } accounts are one now
mail-merged-what = You merged two { $product } accounts that were both yours. Log in with { $provider } from now on; the password of the other account no longer works, and it is logged out everywhere.
mail-merged-shows = What becomes of what you had in the other account, { $product } shows you there.

mail-deadline = { $state ->
    [passed] Move your { $product } login to { $provider } now
   *[comes] Move your { $product } login to { $provider } by { $at }
}
mail-deadline-what = { $state ->
    [passed] Since { $at } your { $product } password opens nothing but the way to { $provider }: type it once more, and { $product } leads you through.
   *[comes] Until { $at } you can log in to { $product } with its own password. After that the password opens nothing but the way to { $provider }. You can move any day before: log in to { $product } as always, or with { $provider }.
}
mail-deadline-stays = What you have in { $product } stays exactly as it is: only how you log in changes.
mail-deadline-safe = Nobody asks for a password in a mail, and this one has no link: open { $product } as you always do.

mail-move-requested = { $enterprise } asks you to move your { $product } login to { $provider }
mail-move-requested-what = { $enterprise } manages who may use { $product } among its people, and asks you to log in with { $provider } from now on. Log in to { $product } as you always do: it offers you to move. The old { $product } password works until you have moved.

mail-address-change = A new address was asked for at { $product }
mail-address-change-what = On { $at } somebody who showed that your { $product } account is theirs asked to change its address to { $wanted }. Nothing changes until that mailbox has confirmed it.
mail-address-change-not-you = If that was not you, choose a new { $product } password now and tell whoever runs { $product }: until then the person can act as you.

mail-deactivated = Your account was switched off
mail-deactivated-what = { $by ->
    [org] An admin of { $org } has switched off the account with this address. It can no longer log in, and it was logged out everywhere.
   *[nobody] The account with this address was switched off. It can no longer log in, and it was logged out everywhere.
}
mail-deactivated-do = { $by ->
    [org] If that is a mistake, ask your admin at { $org }. Nobody else can switch it on again.
   *[nobody] If that is a mistake, ask whoever runs the service.
}

mail-deletion = Your account will be deleted
mail-deletion-what = { $by ->
    [org] An admin of { $org } has asked to delete the account with this address. It was logged out everywhere, and it is deleted for good on { $at }.
   *[nobody] The account with this address will be deleted. It was logged out everywhere, and it is deleted for good on { $at }.
}
mail-deletion-do = { $by ->
    [org] Until then it can be brought back: ask your admin at { $org }.
   *[nobody] Until then it can be brought back.
}

mail-key-expiry = { $state ->
    [ended] A login certificate of { $org } has expired
   *[ends] A login certificate of { $org } expires soon
}
mail-key-expiry-what = { $state ->
    [ended] The certificate with which { $directory } signs logins of { $org } expired on { $at }.
   *[ends] The certificate with which { $directory } signs logins of { $org } expires on { $at }.
}
mail-key-expiry-do = Publish the new certificate in your provider's metadata, or add it to the directory beside the old one, before you switch it at the provider. Several certificates may be there at once.

mail-provider-key = A new key may sign logins of { $org }
mail-provider-key-what = The metadata of { $directory } names a signing key since { $at } that it did not name before. From now on logins of { $org } that this key signs are let in.
mail-provider-key-do = If your provider changed its certificate, there is nothing to do. If nobody changed anything there, somebody else may have: take the directory out of service and ask whoever keeps the metadata.

mail-domain = { $state ->
    [recovered] The proof of { $domain } is there again
    [disputed] Another organization has proved { $domain }
    [settled] The operator has decided about { $domain }
    [lost] { $org } no longer holds { $domain }
    [suspended] { $domain } is suspended
   *[at-risk] The proof of { $domain } was not found
}
mail-domain-what = { $state ->
    [recovered] The proof that { $org } holds { $domain } was found again. Everything is as it was before.
    [disputed] Another organization has shown a proof of { $domain }, which { $org } holds. Nothing changes by that: the operator decides, and asks both sides.
    [settled] More than one organization had shown a proof of { $domain }, and the operator has decided: { $org } does not hold it. Accounts with its addresses are not managed by { $org }, and nobody has to log in through its directory.
    [lost] The proof that { $org } holds { $domain } was not found for 44 days. Accounts with its addresses are no longer managed by { $org }, and nobody has to log in through its directory.
    [suspended] The proof that { $org } holds { $domain } was not found for 14 days. Members still log in through your directory. Nobody new is added and no account is linked through it.
   *[at-risk] The proof that { $org } holds { $domain } was not found at the last check. Logins go on as before.
}
mail-domain-then = { $state ->
    [at-risk] If it stays away, the domain is suspended on { $then }.
    [suspended] If it stays away, the domain is given up on { $then }.
   *[other] {""}
}
mail-domain-do = { $state ->
    [at-risk] Put the TXT record or the file back that the domain was proved with; it has to stay. The next daily check finds it.
    [suspended] Put the TXT record or the file back that the domain was proved with; it has to stay. The next daily check finds it.
    [disputed] See that your proof is in place and stays there.
    [settled] If you think that this is wrong, write to whoever operates this login.
    [lost] To hold it again, add it and prove it anew.
   *[other] {""}
}

mail-break-glass = Emergency login at { $org }
mail-break-glass-what = { $person } logged in to { $org } through the emergency login on { $at }, from { $address }. That goes round your directory; every admin gets this message each time.
mail-break-glass-do = If nobody of you did that on purpose, switch that account off now and tell the operator.

mail-announcement = { $org } changes how you log in
mail-announcement-what = From { $at } on, people of { $org } log in through the company's own login. Your work and your account stay as they are; a password that you have used until now is no longer asked for.
mail-announcement-do = There is nothing to do before. At your next login you are led to the company's login by yourself.
mail-announcement-writes = Your admin at { $org } writes:

mail-reset = Choose a new password for { $product }
mail-reset-what = Somebody asked for a new password for the { $product } account with this address. If that was you, type this code on the page that waits for it:
mail-or-link = Or open this link in the same browser and press the button there:
mail-reset-link = Choose a new password
mail-reset-until = Code and link work until { $until }, once. If that was not you, you need not do anything: your password stays as it is. Never tell anybody the code.

mail-mailbox = Confirm this address for { $product }
mail-mailbox-what = To confirm that you read this mailbox, type this code on the page of { $product } that waits for it:
mail-mailbox-link = Confirm this address
mail-mailbox-until = Code and link work until { $until }, once. If you did not begin this, do not use them, and never tell anybody the code: whoever has it can act as you.

mail-factor-enrolled = A second step was added to your account
mail-factor-enrolled-what = { $factor ->
    [passkey] On { $at } a passkey was added to the account with this address.
    [authenticator] On { $at } an authenticator app was added to the account with this address.
   *[recovery-codes] On { $at } recovery codes were added to the account with this address.
}
mail-factor-enrolled-do = If that was not you, take it away on your account page and change your password now.

mail-factor-removed = A second step was taken away from your account
mail-factor-removed-what = { $factor ->
    [passkey] On { $at } a passkey was taken away from the account with this address.
    [authenticator] On { $at } an authenticator app was taken away from the account with this address.
   *[recovery-codes] On { $at } recovery codes were taken away from the account with this address.
}
mail-factor-removed-do = If that was not you, change your password now and add a second step again.

mail-owner = Your code to connect your { $product } account
mail-owner-what = Somebody who logged in with { $provider } as { $identity } wants to connect that login with your { $product } account. If it is you, type this code on the page that waits for it:
mail-owner-until = It works until { $until }, once. If it is not you, do nothing, and never tell anybody the code: whoever has it takes your { $product } account over.

mail-relinked = You log in through { $org }'s new login page
mail-relinked-what = { $org } changed how its people log in. On { $at } your account was connected with { $provider }, and the login before no longer opens it. What you have in your products is unchanged, and you were logged out everywhere once.
mail-relinked-do = If you did not log in then, tell the people who look after logins at { $org }: they can take it back within 30 days.

mail-quarantined = Your new { $product } account
mail-quarantined-what = You made a new { $product } account with this address on { $at }. There was an older one with it, which had never confirmed the address: it no longer logs anybody in, and what it had in { $product } stays where it is.
mail-quarantined-do = If the older account was yours after all, ask the people who run { $product } within 30 days: they can bring it back.

mail-password-changed = Your { $product } password was changed
mail-password-changed-what = On { $at } the password of the { $product } account with this address was changed. It was logged out everywhere else.
mail-password-changed-do = If that was not you, choose a new password now: your mailbox is enough to do that.

mail-sessions-ended = You were logged out somewhere
mail-sessions-ended-what = { $count ->
    [one] On { $at } one session of the account with this address was ended from its account page. Whoever used it has to log in again.
   *[other] On { $at } { $count } sessions of the account with this address were ended from its account page. Whoever used them has to log in again.
}
mail-sessions-ended-do = If that was not you, somebody is logged in as you: log out everywhere, then change your password, or ask your organization if it manages your account.

mail-token-made = A new API token for { $product }
mail-token-made-what = On { $at } a token was made with which programs can use { $product } as the account with this address. It is listed on the account page, where it can be revoked.
mail-token-made-do = If that was not you, somebody is logged in as you: revoke the token, log out everywhere, then change your password, or ask your organization if it manages your account.

mail-set-up-code = Your code to set up { $org }
mail-set-up-code-what = Somebody opened the link to set up single sign-on for { $org }. To go on, type this code:
mail-set-up-code-until = It works until { $until }, once. If you do not expect this, tell the operator who sent you the link, and never tell anybody the code.

mail-set-up-reused = A used set-up link of { $org } was opened again
mail-set-up-reused-what = On { $at } somebody opened a link to set up single sign-on for { $org } that had been used in another browser before. It was refused.
mail-set-up-reused-do = If that was none of you, the link is in wrong hands: ask the operator for a new one.
mail-step = Your code for a second step
mail-step-what = Somebody who logged in as you is setting up a second step for your account. If it is you, type this code on the page that waits for it:
mail-step-until = It works until { $until }, once. If it is not you, do nothing, never tell anybody the code, and change your password where you log in: whoever this is knows it.
