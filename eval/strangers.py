"""Mails that a help desk which writes English should not act on unseen: all of them invented.

Some in other languages: real requests, which a person who knows the language has to read. Some
that belong to no help desk: spam, private mail, mail for other companies. A site may deal with
some of these after all (it repairs washing machines, or its customers write German).
"""

FOREIGN: dict[str, tuple[str, ...]] = {
    "de": (
        "Guten Tag, seit heute früh kann ich mich nicht mehr anmelden, es heißt immer, mein "
        "Kennwort sei abgelaufen. Bitte um rasche Hilfe.",
        "Hallo zusammen, der Drucker im dritten Stock zieht kein Papier mehr ein und blinkt rot. "
        "Könnte jemand vorbeikommen?",
        "Auf der letzten Rechnung steht ein Betrag, den wir so nie vereinbart haben. Bitte prüfen "
        "Sie das und schicken Sie uns eine Korrektur.",
        "Ich bräuchte für die neue Kollegin ab Montag einen Laptop und einen Bildschirm. Was muss "
        "ich dafür ausfüllen?",
    ),
    "fr": (
        "Bonjour, je n'arrive plus à ouvrir le dossier partagé depuis hier soir, on me dit que je "
        "n'ai pas les droits nécessaires.",
        "L'écran de mon ordinateur portable reste noir au démarrage, même quand il est branché. "
        "Pouvez-vous m'en prêter un autre ?",
        "Nous avons été prélevés deux fois ce mois-ci. Merci de nous rembourser le montant en trop "
        "le plus vite possible.",
        "Comment puis-je demander mes jours de congé pour le mois d'août ? Le formulaire ne "
        "s'affiche plus sur le site.",
    ),
    "es": (
        "Buenos días, la aplicación se cierra sola cada vez que intento guardar el informe. ¿Qué "
        "puedo hacer para no perder los datos?",
        "He olvidado mi contraseña y el correo para cambiarla no llega nunca. Necesito entrar hoy "
        "sin falta.",
        "Quisiera dar de baja la tarjeta que perdí ayer en el aeropuerto y pedir una nueva a mi "
        "domicilio.",
        "El teléfono de la sala de reuniones no tiene línea desde el lunes. Por favor, envíen a "
        "alguien a revisarlo.",
    ),
    "it": (
        "Buongiorno, non riesco a collegarmi alla rete aziendale da casa, la connessione cade dopo "
        "pochi minuti.",
        "Vorrei sapere perché il bonifico che ho fatto la settimana scorsa non risulta ancora sul "
        "conto.",
        "Mi serve l'autorizzazione per installare un programma di disegno sul computer "
        "dell'ufficio tecnico.",
        "Il monitor che avete consegnato ieri ha una riga verde in mezzo allo schermo. Potete "
        "sostituirlo?",
    ),
    "pl": (
        "Dzień dobry, od rana nie działa poczta, wiadomości nie wychodzą i wyskakuje błąd "
        "połączenia z serwerem.",
        "Proszę o założenie konta dla nowego pracownika, który zaczyna pracę w przyszłym tygodniu "
        "w dziale księgowości.",
        "Dlaczego pobrano opłatę za wypłatę z bankomatu, skoro miała być bezpłatna? Proszę o zwrot "
        "pieniędzy.",
        "Zamówiłem klawiaturę i słuchawki trzy tygodnie temu i do tej pory nic nie przyszło. Kiedy "
        "mogę się ich spodziewać?",
    ),
    "ja": (
        "お世話になっております。昨日から社内システムにログインできません。パスワードの再設定を"
        "お願いいたします。",
        "会議室のプロジェクターが映らなくなりました。午後の打ち合わせで使いますので、至急ご確認"
        "ください。",
        "先月分の請求書の金額が見積もりと違っています。訂正したものを送っていただけますか。",
        "新しいノートパソコンを購入したいのですが、申請の手続きを教えてください。",
    ),
}
"""By ISO 639 code."""

OUT_OF_SCOPE: tuple[str, ...] = (
    # spam
    "CONGRATULATIONS! Your address was drawn in our spring lottery. To claim your prize of 850,000 "
    "answer with your full name and the name of your bank within 48 hours.",
    "Rank first on every search engine in thirty days or your money back. We have helped 4,000 "
    "shops like yours. Shall we talk on Thursday?",
    "Dear friend, I am the widow of a cocoa merchant and seek an honest person to help me move an "
    "inheritance abroad. You may keep thirty percent.",
    "Hot deal of the week: garden furniture, parasols and hammocks straight from the factory, "
    "forty percent off until Sunday, shipping included.",
    "Lose ten kilos in three weeks without giving up chocolate! Doctors are amazed by this berry "
    "from the rain forest. Order your trial pack now.",
    "We are a leading maker of zinc die castings and rubber gaskets and would be glad to supply "
    "your esteemed firm. Please find our catalogue and price list attached.",
    "Hello beautiful, I saw your profile and think that we could get along very well. Write me "
    "back, I am lonely tonight.",
    "Last chance to book your booth at the twelfth Northern Food and Hospitality Fair. Early birds "
    "save 300 on floor space and get free parking.",
    "Turn 250 into 9,000 a month with our trading robot. No experience needed, withdraw whenever "
    "you like, thousands of happy members.",
    "Our conference on medieval ceramics invites submissions. Abstracts of 500 words are due in "
    "May; accepted authors pay a reduced fee.",
    # private
    "Mum, we landed safely and the little one slept the whole flight. We will be at your place "
    "around seven, please keep some soup for us.",
    "Are you still up for football on Saturday? We are two players short, and Piet cannot stand in "
    "goal with his knee.",
    "Here is grandmother's recipe for plum cake: a pound of flour, half a pound of butter, five "
    "eggs, and plums as many as the tin will take.",
    "The vet says that the cat has to stay overnight. He can drink again but they want to watch "
    "his kidneys. I will call you after work.",
    "Happy birthday, dear Ottilie! May the new year bring you health, good company and finally "
    "that trip to the fjords.",
    "I have thought about it for long and I believe it is better if we do not see each other for a "
    "while. I hope that you can forgive me one day.",
    "Could you water the tomatoes and feed the hens while we are at the lake? The key hangs behind "
    "the shed, as always.",
    "Darling, the plumber can only come at four. Will you be home, or shall I ask Mrs Abelard from "
    "upstairs to let him in?",
    "Choir practice is in the parish hall this week as the church is being painted. Bring the blue "
    "folders, we start with the Fauré.",
    "The photos from the wedding are finally ready, my favourite is the one where the dog runs off "
    "with the bouquet.",
    # for other companies
    "My washing machine stops in the middle of the spin cycle and shows E18. It is four years old. "
    "Do you send somebody, or must I bring it in?",
    "The sofa you delivered on Tuesday is green, we ordered the sand-coloured one with the longer "
    "seat. When can your driver take it back?",
    "I left a grey scarf and a pair of reading glasses on the tram, line 9, this morning around "
    "eight. Has anybody handed them in?",
    "Please cancel our table for six this Friday, the little one has the measles. We hope to come "
    "again in the autumn.",
    "My daughter in class 4b has a fever and will stay home until Wednesday. Could she get the "
    "reading sheets from her neighbour?",
    "The heating in flat 12 has been cold since the weekend and the radiator in the bathroom drips "
    "onto the floor. Please send the caretaker.",
    "I would like an appointment with Dr Vasquez for a cleaning and because an old filling hurts "
    "when I drink something cold.",
    "The street lamp in front of number 31 has been flickering for weeks and the bins were not "
    "emptied on Monday either.",
    "Is the blue dress from the window still there in size 40, and could you lay it aside for me "
    "until Saturday?",
    "Our flight to Lisbon was cancelled two hours before departure and nobody at the desk could "
    "tell us about a hotel. We demand compensation.",
)
"""Ten of each kind."""
