# Was in E-Mails steht, auf Deutsch.

mail-foot = Gesendet von { $origin }, weil etwas mit einem Konto mit dieser Adresse geschehen ist. Antworten darauf liest niemand.

mail-managed = { $state ->
    [now] Ihr Konto wird jetzt von { $org } verwaltet
   *[no] Ihr Konto wird nicht mehr von { $org } verwaltet
}
mail-managed-what = { $state ->
    [now] { $org } hat gezeigt, dass die Domain von { $address } zu ihr gehört. Von jetzt an verwaltet { $org } das Konto mit dieser Adresse: wie es angemeldet wird und ob es das darf.
   *[no] { $org } verwaltet das Konto von { $address } nicht mehr. Sie bestimmen wieder selbst, wie Sie sich anmelden.
}
mail-managed-do = { $state ->
    [now] Ihre Arbeit bleibt genau so, wie sie ist. Wenn Sie dafür eine andere Adresse benutzen möchten, ändern Sie sie oder fragen Sie eine Administratorin oder einen Administrator von { $org }.
   *[no] Ihre Arbeit bleibt genau so, wie sie ist. Bei der nächsten Anmeldung kann es sein, dass Sie diese Adresse bestätigen oder ein neues Passwort wählen müssen.
}

mail-address-retired = Mit dieser Adresse können Sie sich bei { $product } nicht mehr anmelden
mail-address-retired-what = Jemand hat versucht, sich mit dieser Adresse bei { $product } anzumelden. Das geht nicht mehr, denn ein Konto hat nur eine Adresse.
mail-address-retired-do = Nehmen Sie stattdessen { $kept }. Das ist die Adresse, die behalten wurde. Sie ist nur teilweise zu sehen, damit nur die Person sie erkennt, der sie gehört.
mail-address-retired-not-you = Wenn Sie das nicht waren, müssen Sie nichts tun.

mail-moved = Für { $product } melden Sie sich jetzt mit { $provider } an
mail-moved-what = { $how ->
    [login] Sie haben sich mit { $provider } angemeldet, und Ihr Konto bei { $product } ist dorthin umgezogen. Melden Sie sich von jetzt an mit { $provider } an; das alte Passwort von { $product } gilt nicht mehr.
   *[asked] Sie sind mit Ihrem Konto bei { $product } zu { $provider } umgezogen. Melden Sie sich von jetzt an mit { $provider } an; das alte Passwort von { $product } gilt nicht mehr.
}
mail-moved-stays = Was Sie in { $product } haben, bleibt genau so, wie es ist. { $kept } ist die Adresse des Kontos.
mail-not-you-ask = Wenn Sie das nicht waren, bitten Sie die Betreiber von { $product } um Hilfe.

mail-merged = Ihre beiden Konten bei { $product } sind jetzt eines
mail-merged-what = Sie haben zwei Konten bei { $product } zusammengelegt, die beide Ihnen gehören. Melden Sie sich von jetzt an mit { $provider } an; das Passwort des anderen Kontos gilt nicht mehr, und es ist überall abgemeldet.
mail-merged-shows = Was mit dem geschieht, was Sie im anderen Konto hatten, zeigt Ihnen { $product }.

mail-deadline = { $state ->
    [passed] Stellen Sie Ihre Anmeldung bei { $product } jetzt auf { $provider } um
   *[comes] Stellen Sie Ihre Anmeldung bei { $product } bis { $at } auf { $provider } um
}
mail-deadline-what = { $state ->
    [passed] Seit { $at } führt Ihr Passwort von { $product } nur noch zur Umstellung auf { $provider }: Geben Sie es noch einmal ein, und { $product } leitet Sie durch.
   *[comes] Bis { $at } können Sie sich bei { $product } mit dem eigenen Passwort anmelden. Danach führt das Passwort nur noch zur Umstellung auf { $provider }. Sie können jederzeit vorher umstellen: Melden Sie sich bei { $product } wie immer an, oder mit { $provider }.
}
mail-deadline-stays = Was Sie in { $product } haben, bleibt genau so, wie es ist: Nur die Anmeldung ändert sich.
mail-deadline-safe = Niemand fragt in einer E-Mail nach einem Passwort, und in dieser steht kein Link: Öffnen Sie { $product } so, wie Sie es immer tun.

mail-move-requested = { $enterprise } bittet Sie, Ihre Anmeldung bei { $product } auf { $provider } umzustellen
mail-move-requested-what = { $enterprise } bestimmt, wer von den eigenen Leuten { $product } nutzt, und bittet Sie, sich künftig mit { $provider } anzumelden. Melden Sie sich bei { $product } wie immer an: Dort wird Ihnen die Umstellung angeboten. Bis dahin gilt Ihr altes Passwort von { $product } weiter.

mail-address-change = Bei { $product } wurde eine neue Adresse gewünscht
mail-address-change-what = Am { $at } wollte jemand, der gezeigt hat, dass ihm Ihr Konto bei { $product } gehört, seine Adresse in { $wanted } ändern. Nichts ändert sich, solange dieses Postfach es nicht bestätigt hat.
mail-address-change-not-you = Wenn Sie das nicht waren, wählen Sie jetzt ein neues Passwort für { $product } und sagen Sie den Betreibern von { $product } Bescheid: Bis dahin kann die Person in Ihrem Namen handeln.

mail-deactivated = Ihr Konto wurde abgeschaltet
mail-deactivated-what = { $by ->
    [org] Jemand aus der Administration von { $org } hat das Konto mit dieser Adresse abgeschaltet. Es kann nicht mehr angemeldet werden und wurde überall abgemeldet.
   *[nobody] Das Konto mit dieser Adresse wurde abgeschaltet. Es kann nicht mehr angemeldet werden und wurde überall abgemeldet.
}
mail-deactivated-do = { $by ->
    [org] Wenn das ein Irrtum ist, fragen Sie die Administration von { $org }. Niemand sonst kann es wieder einschalten.
   *[nobody] Wenn das ein Irrtum ist, fragen Sie die Betreiber des Dienstes.
}

mail-deletion = Ihr Konto wird gelöscht
mail-deletion-what = { $by ->
    [org] Jemand aus der Administration von { $org } hat die Löschung des Kontos mit dieser Adresse veranlasst. Es wurde überall abgemeldet und wird am { $at } endgültig gelöscht.
   *[nobody] Das Konto mit dieser Adresse wird gelöscht. Es wurde überall abgemeldet und wird am { $at } endgültig gelöscht.
}
mail-deletion-do = { $by ->
    [org] Bis dahin kann es zurückgeholt werden: Fragen Sie die Administration von { $org }.
   *[nobody] Bis dahin kann es zurückgeholt werden.
}

mail-key-expiry = { $state ->
    [ended] Ein Zertifikat für Anmeldungen von { $org } ist abgelaufen
   *[ends] Ein Zertifikat für Anmeldungen von { $org } läuft bald ab
}
mail-key-expiry-what = { $state ->
    [ended] Das Zertifikat, mit dem { $directory } Anmeldungen von { $org } signiert, ist am { $at } abgelaufen.
   *[ends] Das Zertifikat, mit dem { $directory } Anmeldungen von { $org } signiert, läuft am { $at } ab.
}
mail-key-expiry-do = Veröffentlichen Sie das neue Zertifikat in den Metadaten Ihres Anbieters, oder tragen Sie es neben dem alten im Verzeichnis ein, bevor Sie es beim Anbieter wechseln. Es dürfen mehrere Zertifikate zugleich eingetragen sein.

mail-provider-key = Ein neuer Schlüssel darf Anmeldungen von { $org } signieren
mail-provider-key-what = Die Metadaten von { $directory } nennen seit { $at } einen Signaturschlüssel, den sie vorher nicht genannt haben. Von jetzt an werden Anmeldungen von { $org } angenommen, die dieser Schlüssel signiert.
mail-provider-key-do = Wenn Ihr Anbieter sein Zertifikat gewechselt hat, ist nichts zu tun. Wenn dort niemand etwas geändert hat, war es vielleicht jemand anders: Nehmen Sie das Verzeichnis außer Betrieb und fragen Sie, wer die Metadaten pflegt.

mail-domain = { $state ->
    [recovered] Der Nachweis für { $domain } ist wieder da
    [disputed] Eine andere Organisation hat { $domain } nachgewiesen
    [settled] Der Betreiber hat über { $domain } entschieden
    [lost] { $domain } gehört nicht mehr zu { $org }
    [suspended] { $domain } ist ausgesetzt
   *[at-risk] Der Nachweis für { $domain } wurde nicht gefunden
}
mail-domain-what = { $state ->
    [recovered] Der Nachweis, dass { $domain } zu { $org } gehört, wurde wieder gefunden. Alles ist wie vorher.
    [disputed] Eine andere Organisation hat einen Nachweis für { $domain } gezeigt; die Domain gehört zu { $org }. Dadurch ändert sich nichts: Der Betreiber entscheidet und fragt beide Seiten.
    [settled] Mehr als eine Organisation hatte einen Nachweis für { $domain } gezeigt, und der Betreiber hat entschieden: Die Domain gehört nicht zu { $org }. Konten mit Adressen dieser Domain werden nicht von { $org } verwaltet, und niemand muss sich über das Verzeichnis von { $org } anmelden.
    [lost] Der Nachweis, dass { $domain } zu { $org } gehört, wurde 44 Tage lang nicht gefunden. Konten mit Adressen dieser Domain werden nicht mehr von { $org } verwaltet, und niemand muss sich über das Verzeichnis von { $org } anmelden.
    [suspended] Der Nachweis, dass { $domain } zu { $org } gehört, wurde 14 Tage lang nicht gefunden. Mitglieder melden sich weiter über Ihr Verzeichnis an. Niemand Neues kommt hinzu, und kein Konto wird darüber verbunden.
   *[at-risk] Der Nachweis, dass { $domain } zu { $org } gehört, wurde bei der letzten Prüfung nicht gefunden. Anmeldungen gehen weiter wie bisher.
}
mail-domain-then = { $state ->
    [at-risk] Wenn er wegbleibt, wird die Domain am { $then } ausgesetzt.
    [suspended] Wenn er wegbleibt, wird die Domain am { $then } aufgegeben.
   *[other] {""}
}
mail-domain-do = { $state ->
    [at-risk] Stellen Sie den TXT-Eintrag oder die Datei wieder her, womit die Domain nachgewiesen wurde; beides muss dort bleiben. Die nächste tägliche Prüfung findet es.
    [suspended] Stellen Sie den TXT-Eintrag oder die Datei wieder her, womit die Domain nachgewiesen wurde; beides muss dort bleiben. Die nächste tägliche Prüfung findet es.
    [disputed] Sorgen Sie dafür, dass Ihr Nachweis da ist und dort bleibt.
    [settled] Wenn Sie das für falsch halten, schreiben Sie an den Betreiber dieser Anmeldung.
    [lost] Um sie wiederzubekommen, fügen Sie sie hinzu und weisen Sie sie neu nach.
   *[other] {""}
}

mail-break-glass = Notfall-Anmeldung bei { $org }
mail-break-glass-what = { $person } hat sich am { $at } von { $address } aus über die Notfall-Anmeldung bei { $org } angemeldet. Das geht an Ihrem Verzeichnis vorbei; alle in der Administration bekommen jedes Mal diese Nachricht.
mail-break-glass-do = Wenn das niemand von Ihnen mit Absicht war, schalten Sie dieses Konto jetzt ab und sagen Sie dem Betreiber Bescheid.

mail-announcement = { $org } ändert, wie Sie sich anmelden
mail-announcement-what = Ab { $at } melden sich die Leute von { $org } über die Anmeldung der Firma an. Ihre Arbeit und Ihr Konto bleiben, wie sie sind; nach einem Passwort, das Sie bisher benutzt haben, wird nicht mehr gefragt.
mail-announcement-do = Vorher ist nichts zu tun. Bei der nächsten Anmeldung werden Sie von selbst zur Anmeldung der Firma geführt.
mail-announcement-writes = Die Administration von { $org } schreibt dazu:

mail-reset = Wählen Sie ein neues Passwort für { $product }
mail-reset-what = Jemand möchte ein neues Passwort für das Konto bei { $product } mit dieser Adresse. Wenn Sie das waren, geben Sie diesen Code auf der Seite ein, die darauf wartet:
mail-or-link = Oder öffnen Sie diesen Link im selben Browser und drücken Sie dort auf die Schaltfläche:
mail-reset-link = Ein neues Passwort wählen
mail-reset-until = Code und Link gelten bis { $until }, und nur einmal. Wenn Sie das nicht waren, müssen Sie nichts tun: Ihr Passwort bleibt, wie es ist. Sagen Sie niemandem den Code.

mail-mailbox = Bestätigen Sie diese Adresse für { $product }
mail-mailbox-what = Um zu bestätigen, dass Sie dieses Postfach lesen, geben Sie diesen Code auf der Seite von { $product } ein, die darauf wartet:
mail-mailbox-link = Diese Adresse bestätigen
mail-mailbox-until = Code und Link gelten bis { $until }, und nur einmal. Wenn Sie das nicht begonnen haben, benutzen Sie beides nicht und sagen Sie niemandem den Code: Wer ihn hat, kann in Ihrem Namen handeln.

mail-factor-enrolled = Zu Ihrem Konto ist ein zweiter Schritt hinzugekommen
mail-factor-enrolled-what = { $factor ->
    [passkey] Am { $at } kam zum Konto mit dieser Adresse ein Passkey hinzu.
    [authenticator] Am { $at } kam zum Konto mit dieser Adresse eine Authenticator-App hinzu.
   *[recovery-codes] Am { $at } kamen zum Konto mit dieser Adresse Wiederherstellungscodes hinzu.
}
mail-factor-enrolled-do = Wenn Sie das nicht waren, entfernen Sie das auf Ihrer Kontoseite und ändern Sie jetzt Ihr Passwort.

mail-factor-removed = Von Ihrem Konto wurde ein zweiter Schritt entfernt
mail-factor-removed-what = { $factor ->
    [passkey] Am { $at } wurde vom Konto mit dieser Adresse ein Passkey entfernt.
    [authenticator] Am { $at } wurde vom Konto mit dieser Adresse eine Authenticator-App entfernt.
   *[recovery-codes] Am { $at } wurden vom Konto mit dieser Adresse Wiederherstellungscodes entfernt.
}
mail-factor-removed-do = Wenn Sie das nicht waren, ändern Sie jetzt Ihr Passwort und richten Sie wieder einen zweiten Schritt ein.

mail-owner = Ihr Code, um Ihr Konto bei { $product } zu verbinden
mail-owner-what = Jemand, der mit { $provider } als { $identity } angemeldet ist, möchte diese Anmeldung mit Ihrem Konto bei { $product } verbinden. Wenn Sie das sind, geben Sie diesen Code auf der Seite ein, die darauf wartet:
mail-owner-until = Er gilt bis { $until }, und nur einmal. Wenn Sie das nicht sind, tun Sie nichts, und sagen Sie niemandem den Code: Wer ihn hat, übernimmt Ihr Konto bei { $product }.

mail-relinked = Sie melden sich über die neue Anmeldung von { $org } an
mail-relinked-what = { $org } hat die Anmeldung seiner Leute gewechselt. Am { $at } wurde Ihr Konto mit { $provider } verbunden; die Anmeldung davor öffnet es nicht mehr. Was Sie in Ihren Produkten haben, bleibt unverändert, und Sie wurden einmal überall abgemeldet.
mail-relinked-do = Wenn Sie sich damals nicht angemeldet haben, sagen Sie es denen, die bei { $org } für Anmeldungen zuständig sind: Sie können es innerhalb von 30 Tagen zurücknehmen.

mail-quarantined = Ihr neues Konto bei { $product }
mail-quarantined-what = Sie haben am { $at } mit dieser Adresse ein neues Konto bei { $product } angelegt. Es gab schon ein älteres damit, das die Adresse nie bestätigt hatte: Niemand kann sich damit mehr anmelden, und was es in { $product } hatte, bleibt, wo es ist.
mail-quarantined-do = Wenn das ältere Konto doch Ihres war, fragen Sie innerhalb von 30 Tagen die Betreiber von { $product }: Sie können es zurückholen.

mail-password-changed = Ihr Passwort bei { $product } wurde geändert
mail-password-changed-what = Am { $at } wurde das Passwort des Kontos bei { $product } mit dieser Adresse geändert. Überall sonst wurde es abgemeldet.
mail-password-changed-do = Wenn Sie das nicht waren, wählen Sie jetzt ein neues Passwort: Ihr Postfach reicht dafür aus.

mail-sessions-ended = Sie wurden irgendwo abgemeldet
mail-sessions-ended-what = { $count ->
    [one] Am { $at } wurde eine Sitzung des Kontos mit dieser Adresse von seiner Kontoseite aus beendet. Wer sie benutzt hat, muss sich neu anmelden.
   *[other] Am { $at } wurden { $count } Sitzungen des Kontos mit dieser Adresse von seiner Kontoseite aus beendet. Wer sie benutzt hat, muss sich neu anmelden.
}
mail-sessions-ended-do = Wenn Sie das nicht waren, ist jemand in Ihrem Namen angemeldet: Melden Sie sich überall ab und ändern Sie dann Ihr Passwort, oder fragen Sie Ihre Organisation, wenn sie Ihr Konto verwaltet.

mail-token-made = Ein neues API-Token für { $product }
mail-token-made-what = Am { $at } wurde ein Token erstellt, mit dem Programme { $product } als das Konto mit dieser Adresse benutzen können. Es steht auf der Kontoseite und kann dort widerrufen werden.
mail-token-made-do = Wenn Sie das nicht waren, ist jemand in Ihrem Namen angemeldet: Widerrufen Sie das Token, melden Sie sich überall ab und ändern Sie dann Ihr Passwort, oder fragen Sie Ihre Organisation, wenn sie Ihr Konto verwaltet.

mail-set-up-code = Ihr Code, um { $org } einzurichten
mail-set-up-code-what = Jemand hat den Link geöffnet, mit dem die Anmeldung für { $org } eingerichtet wird. Geben Sie diesen Code ein, um weiterzumachen:
mail-set-up-code-until = Er gilt bis { $until }, und nur einmal. Wenn Sie das nicht erwarten, sagen Sie dem Betreiber Bescheid, der Ihnen den Link geschickt hat, und sagen Sie niemandem den Code.

mail-set-up-reused = Ein benutzter Einrichtungslink von { $org } wurde noch einmal geöffnet
mail-set-up-reused-what = Am { $at } hat jemand einen Link zum Einrichten der Anmeldung für { $org } geöffnet, der vorher in einem anderen Browser benutzt worden war. Das wurde abgelehnt.
mail-set-up-reused-do = Wenn das niemand von Ihnen war, ist der Link in falschen Händen: Bitten Sie den Betreiber um einen neuen.
mail-step = Ihr Code für einen zweiten Schritt
mail-step-what = Jemand, der sich als Sie angemeldet hat, richtet für Ihr Konto einen zweiten Schritt ein. Wenn Sie das sind, geben Sie diesen Code auf der Seite ein, die darauf wartet:
mail-step-until = Er gilt bis { $until }, und nur einmal. Wenn Sie das nicht sind, tun Sie nichts, sagen Sie niemandem den Code, und ändern Sie Ihr Passwort dort, wo Sie sich anmelden: Wer das ist, kennt es.
